/** The workbench as its user sees it. Everything waits for what it needs, and nothing waits for time alone. */
import type { Locator, Page } from './playwright.ts';

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Until `look` gives something: asked again at once after it said no. The sentence says what was waited for. */
export async function eventually<T>(sentence: string, look: () => Promise<T | undefined | false>, timeoutMs = 30_000): Promise<T> {
  let last: unknown;
  for (const end = Date.now() + timeoutMs; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 50))) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
      last = undefined;
    } catch (error) {
      last = error;
    }
  }
  throw new Error(`waited ${timeoutMs / 1000} s: ${sentence}${last === undefined ? '' : ` (${String(last)})`}`);
}

export class Workbench {
  readonly editor: Locator;
  readonly debugView: Locator;
  readonly exceptionWidget: Locator;

  constructor(readonly page: Page) {
    this.editor = page.locator('.editor-group-container.active .monaco-editor').first();
    this.debugView = page.locator('[id="workbench.view.debug"]');
    this.exceptionWidget = page.locator('.exception-widget');
  }

  /** Until the folder's files are shown, and there is a debugger. */
  async ready(name: string): Promise<void> {
    await this.page.locator('.monaco-workbench').waitFor({ timeout: 60_000 });
    await this.file(name).waitFor({ timeout: 60_000 });
    await this.widen(430);
    // Before that, F5 would only open this view.
    await this.showDebugView();
    await this.debugView.locator('.welcome-view-content .monaco-button').filter({ hasText: 'Run and Debug' }).waitFor({ timeout: 60_000 });
    await this.page.keyboard.press('Control+Shift+E');
    await this.file(name).waitFor();
  }

  /** Makes the side bar so many pixels wide. */
  private async widen(width: number): Promise<void> {
    const bar = this.page.locator('.part.sidebar');
    await eventually(`the side bar is ${width} pixels wide`, async () => {
      const box = await bar.boundingBox();
      if (box === null || Math.abs(box.width - width) < 20) return box !== null;
      await this.page.mouse.move(box.x + box.width + 1, box.y + box.height / 2);
      await this.page.mouse.down();
      await this.page.mouse.move(box.x + width, box.y + box.height / 2, { steps: 5 });
      await this.page.mouse.up();
      return false;
    });
  }

  /** A file's row in the Explorer. */
  file(name: string): Locator {
    return this.page.locator('.explorer-folders-view .monaco-list-row').filter({ hasText: new RegExp(`^\\s*${escaped(name)}`) });
  }

  async openFile(name: string): Promise<void> {
    if (!(await this.file(name).isVisible())) await this.page.keyboard.press('Control+Shift+E');
    await this.file(name).dblclick();
    await this.tab(name).waitFor();
    await this.editor.locator('.view-line').first().waitFor();
  }

  /** The tab that is shown, if it has that name. */
  tab(name: string | RegExp): Locator {
    return this.page.locator('.editor-group-container.active .tab.active').filter({ hasText: name });
  }

  /** From the command palette, by the whole of its title. */
  async command(title: string): Promise<void> {
    await this.page.keyboard.press('F1');
    const input = this.page.locator('.quick-input-widget .quick-input-filter input').first();
    await input.waitFor();
    await input.fill(`>${title}`);
    const row = this.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: title }).first();
    await row.click();
  }

  /** A line of the text editor that is shown, scrolled to. 1-based. */
  async line(number: number): Promise<Locator> {
    await this.page.keyboard.press('Control+G');
    const input = this.page.locator('.quick-input-widget .quick-input-filter input').first();
    await input.waitFor();
    await input.fill(`:${number}`);
    await input.press('Enter');
    await input.waitFor({ state: 'hidden' });
    const top = await eventually(`line ${number} is drawn`, () => this.marginTop(number));
    return this.editor.locator(`.view-line[style*="top:${top}px"]`).first();
  }

  /** Lets the mouse rest on a word of a line. */
  async hover(number: number, word: string): Promise<void> {
    const text = (await this.line(number)).locator('> span');
    const box = await text.boundingBox();
    // Blanks are drawn as no-break spaces.
    const content = ((await text.textContent()) ?? '').replace(/\u00a0/g, ' ');
    if (box === null || !content.includes(word)) throw new Error(`line ${number} is ${content}, without ${word}`);
    const column = content.indexOf(word) + word.length / 2;
    // A mouse that only appears somewhere hovers nowhere.
    await this.page.mouse.move(box.x + (column / content.length) * box.width + 30, box.y + box.height / 2);
    await this.page.mouse.move(box.x + (column / content.length) * box.width, box.y + box.height / 2, { steps: 5 });
  }

  /** Where the line number `number` is drawn, in pixels from the top of the text. */
  private async marginTop(number: number): Promise<number | undefined> {
    const margin = this.editor.locator('.margin-view-overlays > div').filter({ hasText: new RegExp(`^\\s*${number}\\s*$`) });
    if ((await margin.count()) === 0) return undefined;
    const style = (await margin.first().getAttribute('style')) ?? '';
    return Number(/top:\s*(\d+)px/.exec(style)?.[1]);
  }

  /** The side bar's debug container, shown. */
  async showDebugView(): Promise<void> {
    if (!(await this.debugView.isVisible())) await this.page.keyboard.press('Control+Shift+D');
    await this.debugView.waitFor();
  }

  /** A view of the debug container, opened. */
  private async pane(title: string): Promise<Locator> {
    const called = this.page.locator('.pane-header').filter({ hasText: new RegExp(`^\\s*${escaped(title)}`, 'i') });
    const pane = this.debugView.locator('.pane').filter({ has: called }).first();
    const header = pane.locator('.pane-header').first();
    await header.waitFor();
    await eventually(`the view ${title} opens`, async () => {
      if ((await header.getAttribute('aria-expanded')) === 'true') return true;
      await header.click();
      return false;
    });
    return pane;
  }

  /**
   * Shows these views of the debug container and no others: a list draws only the rows that there is room for, and what is not drawn is not in the page.
   * Gives them in that order.
   */
  async views(...titles: readonly string[]): Promise<Locator[]> {
    await this.showDebugView();
    const headers = this.debugView.locator('.pane-header');
    for (let i = 0; i < (await headers.count()); i++) {
      const header = headers.nth(i);
      const title = ((await header.locator('.title').first().textContent()) ?? '').trim();
      if (titles.includes(title) || (await header.getAttribute('aria-expanded')) === 'false') continue;
      await eventually(`the view ${title} closes`, async () => {
        if ((await header.getAttribute('aria-expanded')) === 'false') return true;
        await header.click();
        return false;
      });
    }
    const panes: Locator[] = [];
    for (const title of titles) panes.push(await this.pane(title));
    return panes;
  }

  /** A row of a tree or list, by its text. */
  async row(within: Locator, text: string | RegExp): Promise<Locator> {
    const row = within.locator('.monaco-list-row').filter({ hasText: text }).first();
    await row.waitFor().catch(async () => {
      const there = await within.locator('.monaco-list-row').allInnerTexts();
      throw new Error(`there is no row ${text}; there are: ${there.map((line) => line.replace(/\s+/g, ' ')).join(' | ')}`);
    });
    return row;
  }

  /** Opens a row of a tree. */
  expand(within: Locator, text: string | RegExp): Promise<Locator> {
    return this.turn(within, text, true);
  }

  /** Closes a row of a tree. */
  collapse(within: Locator, text: string | RegExp): Promise<Locator> {
    return this.turn(within, text, false);
  }

  private async turn(within: Locator, text: string | RegExp, open: boolean): Promise<Locator> {
    const row = await this.row(within, text);
    await eventually(`${text} ${open ? 'opens' : 'closes'}`, async () => {
      if ((await row.getAttribute('aria-expanded')) === String(open)) return true;
      await row.locator('.monaco-tl-twistie').first().click({ timeout: 1_000 });
      return false;
    });
    return row;
  }

  /** From the context menu of what is clicked at. */
  async contextMenu(on: Locator, item: string): Promise<void> {
    await on.click({ button: 'right' });
    const entry = this.page.locator('.monaco-menu .action-item').filter({ hasText: item }).first();
    await entry.waitFor();
    await entry.click();
  }

  /** A button of the debug tool bar, by the beginning of its name: `Continue`, `Step Over`. */
  debugButton(name: string): Locator {
    return this.page.locator(`a.action-label[aria-label^="${name}"]`).first();
  }

  /** The line that is shown as the current one, as it is numbered; undefined while none is. */
  async currentLine(): Promise<number | undefined> {
    // The arrow and the line number are drawn in two layers: they belong together by where they lie.
    const arrow = this.editor.locator('.glyph-margin-widgets [class*="stackframe"]');
    if ((await arrow.count()) === 0) return undefined;
    const top = /top:\s*(\d+)px/.exec((await arrow.first().getAttribute('style')) ?? '')?.[1];
    const number = this.editor.locator(`.margin-view-overlays > div[style*="top:${top}px"] .line-numbers`);
    return Number((await number.first().textContent())?.trim());
  }

  /** Until the machine stands at a line. */
  async stoppedAt(line: number): Promise<void> {
    let seen: number | undefined;
    await eventually(`the current line is ${line}`, async () => (seen = await this.currentLine()) === line).catch((error) => {
      throw new Error(`${error instanceof Error ? error.message : error}; it is ${seen}`);
    });
  }

  /** The colour of the status bar says so. */
  get debugging(): Locator {
    return this.page.locator('.part.statusbar.debugging');
  }

  /** Ends every debug session that there is. */
  async endSessions(): Promise<void> {
    await eventually('the debug sessions end', async () => {
      if ((await this.debugging.count()) === 0 && (await this.debugButton('Stop').count()) === 0) return true;
      await this.debugButton('Stop').click({ timeout: 500 });
      return false;
    });
  }
}
