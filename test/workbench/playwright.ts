/**
 * As much of playwright-core as the workbench's tests use. The package is no dependency of this project: rig.ts puts it beside the workbench, so its
 * types are said here.
 */
import { createRequire } from 'node:module';

export interface Wait {
  readonly timeout?: number;
}
export interface Click extends Wait {
  readonly button?: 'left' | 'right';
  readonly position?: { readonly x: number; readonly y: number };
  readonly force?: boolean;
  readonly clickCount?: number;
}

/** Elements that a selector finds, looked up anew at each use; whatever is done to them waits until there is exactly one that can take it. */
export interface Locator {
  locator(selector: string): Locator;
  filter(by: { readonly hasText?: string | RegExp; readonly hasNotText?: string | RegExp; readonly has?: Locator }): Locator;
  getByText(text: string | RegExp, options?: { readonly exact?: boolean }): Locator;
  first(): Locator;
  last(): Locator;
  nth(index: number): Locator;
  count(): Promise<number>;
  click(options?: Click): Promise<void>;
  dblclick(options?: Click): Promise<void>;
  hover(options?: Click): Promise<void>;
  fill(text: string): Promise<void>;
  press(key: string): Promise<void>;
  scrollIntoViewIfNeeded(options?: Wait): Promise<void>;
  waitFor(options?: Wait & { readonly state?: 'attached' | 'detached' | 'visible' | 'hidden' }): Promise<void>;
  isVisible(): Promise<boolean>;
  textContent(options?: Wait): Promise<string | null>;
  innerText(options?: Wait): Promise<string>;
  allInnerTexts(): Promise<string[]>;
  getAttribute(name: string, options?: Wait): Promise<string | null>;
  boundingBox(options?: Wait): Promise<{ x: number; y: number; width: number; height: number } | null>;
  evaluate<T>(inPage: (element: never) => T): Promise<T>;
}

export interface Page {
  locator(selector: string): Locator;
  getByText(text: string | RegExp, options?: { readonly exact?: boolean }): Locator;
  goto(url: string, options?: Wait & { readonly waitUntil?: 'domcontentloaded' | 'load' }): Promise<unknown>;
  screenshot(options: { readonly path: string; readonly timeout?: number }): Promise<unknown>;
  readonly keyboard: {
    press(key: string): Promise<void>;
    type(text: string, options?: { readonly delay?: number }): Promise<void>;
  };
  readonly mouse: {
    move(x: number, y: number, options?: { readonly steps?: number }): Promise<void>;
    down(): Promise<void>;
    up(): Promise<void>;
  };
  evaluate<T>(inPage: string | (() => T)): Promise<T>;
  setDefaultTimeout(ms: number): void;
  on(event: 'console', listener: (message: { type(): string; text(): string }) => void): void;
  on(event: 'pageerror', listener: (error: Error) => void): void;
  on(event: 'requestfailed', listener: (request: { url(): string; failure(): { errorText: string } | null }) => void): void;
}

export interface Context {
  pages(): Page[];
  newPage(): Promise<Page>;
  close(): Promise<void>;
}

export interface Playwright {
  readonly chromium: {
    launchPersistentContext(
      profile: string,
      options: {
        readonly executablePath: string;
        readonly headless: boolean;
        readonly viewport: { readonly width: number; readonly height: number };
        readonly args: readonly string[];
      },
    ): Promise<Context>;
  };
}

/** The package that lies in `folder`/node_modules. */
export const loadPlaywright = (folder: string): Playwright => createRequire(`${folder}/`)('playwright-core') as Playwright;
