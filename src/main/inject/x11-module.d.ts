/** The part of the `x11` package that is used here; it carries no types. */
declare module 'x11' {
  export interface XTest {
    readonly KeyPress: number;
    readonly KeyRelease: number;
    readonly ButtonPress: number;
    readonly ButtonRelease: number;
    readonly MotionNotify: number;
    FakeInput(type: number, detail: number, time: number, window: number, x: number, y: number): void;
  }
  export interface XDamage {
    readonly ReportLevel: { readonly NonEmpty: number };
    Create(id: number, drawable: number, level: number): void;
    Subtract(id: number, repair: number, parts: number): void;
    Destroy(id: number): void;
  }
  export interface XFixes {
    readonly SelectionEventMask: { readonly SetSelectionOwner: number };
    SelectSelectionInput(window: number, selection: number, mask: number): void;
  }
  export interface XClient {
    readonly display: XDisplay;
    require(name: 'xtest', callback: (error: Error | null, extension: XTest) => void): void;
    require(name: 'damage', callback: (error: Error | null, extension: XDamage) => void): void;
    require(name: 'fixes', callback: (error: Error | null, extension: XFixes) => void): void;
    AllocID(): number;
    CreateWindow(id: number, parent: number, x: number, y: number, width: number, height: number): void;
    InternAtom(onlyIfExists: boolean, name: string, callback: (error: Error | null, atom: number) => void): void;
    SetSelectionOwner(owner: number, selection: number): void;
    GetKeyboardMapping(first: number, count: number, callback: (error: Error | null, rows: number[][]) => void): void;
    ChangeKeyboardMapping(first: number, keysymsPerKeycode: number, keysyms: number[]): void;
    GetModifierMapping(callback: (error: Error | null, rows: number[][]) => void): void;
    QueryPointer(window: number, callback: (error: Error | null, pointer: { keyMask: number; rootX: number; rootY: number }) => void): void;
    on(event: 'error' | 'end' | 'event', listener: (value: { name?: string; damage?: number; selection?: number }) => void): void;
    terminate(): void;
  }
  export interface XDisplay {
    readonly client: XClient;
    readonly screen: readonly { readonly root: number }[];
    readonly min_keycode: number;
    readonly max_keycode: number;
  }
  export function createClient(options: { display?: string }, callback: (error: Error | null, display: XDisplay) => void): XClient;
}
