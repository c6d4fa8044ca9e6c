import { useEffect, useState } from 'react';
import { api, settle } from '../api.ts';
import { useI18n } from '../i18n/use-i18n.ts';
import { Button } from './button.tsx';

/** How long the confirmation stays. */
const CONFIRM_MS = 1800;

interface CopyButtonProps {
  text: string;
  label: string;
  /** Shows the word and not only the icon. */
  withText?: boolean;
  'data-testid'?: string;
}

export function CopyButton({ text, label, withText = false, ...rest }: CopyButtonProps) {
  const { t } = useI18n();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), CONFIRM_MS);
    return () => clearTimeout(timer);
  }, [copied]);

  const copy = async () => {
    const result = await settle(api().copyText(text));
    if (result.ok) setCopied(true);
  };
  return (
    <>
      <Button
        look={withText ? 'plain' : 'quiet'}
        icon={copied ? 'check' : 'copy'}
        label={label}
        disabled={text === ''}
        onClick={() => void copy()}
        {...rest}
      >
        {withText ? (copied ? t('common.copied') : t('common.copy')) : undefined}
      </Button>
      <span role="status" className="visually-hidden">
        {copied ? t('common.copied') : ''}
      </span>
    </>
  );
}
