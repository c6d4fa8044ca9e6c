export const STATUS_HTML = '<!doctype html><title>LiteDesk</title>';
export const STATUS_JS = '';
export const STATUS_CSS = '';
