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

/** Clicks until something has become true: again only when a click has had its time and did nothing, because a second one would undo the first. */
export async function clickUntil(sentence: string, on: Locator, look: () => Promise<boolean>): Promise<void> {
  await eventually(sentence, async () => {
    if (await look()) return true;
    await on.click({ timeout: 1_000 });
    return eventually(sentence, look, 3_000);
  });
}

/** What is drawn so many pixels below the top; whoever wrote the style may have left a blank. */
const drawnAt = (selector: string, top: string | undefined): string =>
  `${selector}[style*="top:${top}px"], ${selector}[style*="top: ${top}px"]`;

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
    await this.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: title }).first().click();
    await input.waitFor({ state: 'hidden' });
  }

  /** Scrolls the text editor that is shown to a line, 1-based, and does something there. */
  private async atLine(number: number, act: (line: Locator) => Promise<void>): Promise<void> {
    await this.page.keyboard.press('Control+G');
    const input = this.page.locator('.quick-input-widget .quick-input-filter input').first();
    await input.waitFor();
    await input.fill(`:${number}`);
    await input.press('Enter');
    await input.waitFor({ state: 'hidden' });
    const margin = this.editor.locator('.margin-view-overlays > div').filter({ hasText: new RegExp(`^\\s*${number}\\s*$`) });
    // Text and line numbers are drawn in two layers, and both move while the editor scrolls.
    await eventually(`line ${number} can be used`, async () => {
      const top = /top:\s*(\d+)px/.exec((await margin.first().getAttribute('style', { timeout: 500 })) ?? '')?.[1];
      await act(this.editor.locator(drawnAt('.view-line', top)).first());
      return true;
    });
  }

  /** Puts the caret into a line. */
  clickLine(number: number): Promise<void> {
    return this.atLine(number, (line) => line.click({ timeout: 500 }));
  }

  /** Lets the mouse rest on a word of a line. */
  hover(number: number, word: string): Promise<void> {
    return this.atLine(number, async (line) => {
      const text = line.locator('> span');
      const box = await text.boundingBox({ timeout: 500 });
      // Blanks are drawn as no-break spaces.
      const content = ((await text.textContent({ timeout: 500 })) ?? '').replace(/\u00a0/g, ' ');
      if (box === null || !content.includes(word)) throw new Error(`line ${number} is ${content}, without ${word}`);
      const x = box.x + ((content.indexOf(word) + word.length / 2) / content.length) * box.width;
      // A mouse that only appears somewhere hovers nowhere.
      await this.page.mouse.move(x + 30, box.y + box.height / 2);
      await this.page.mouse.move(x, box.y + box.height / 2, { steps: 5 });
    });
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
    await clickUntil(`the view ${title} opens`, header, async () => (await header.getAttribute('aria-expanded')) === 'true');
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
      await clickUntil(`the view ${title} closes`, header, async () => (await header.getAttribute('aria-expanded')) === 'false');
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
    const twistie = row.locator('.monaco-tl-twistie').first();
    await clickUntil(
      `${text} ${open ? 'opens' : 'closes'}`,
      twistie,
      async () => (await row.getAttribute('aria-expanded')) === String(open),
    );
    return row;
  }

  /** From the context menu of what is clicked at. */
  async contextMenu(on: Locator, item: string): Promise<void> {
    await on.click({ button: 'right' });
    const entry = this.page.locator('.monaco-menu .action-item').filter({ hasText: item }).first();
    await entry.waitFor();
    await entry.click();
  }

  /** A button of the debug tool bar, by the beginning of its name: `Continue`, `Step Over`. It is in the debug container. */
  debugButton(name: string): Locator {
    return this.page.locator(`a.action-label[aria-label^="${name}"]`).first();
  }

  /** The line that is shown as the current one, as it is numbered; undefined while none is. */
  async currentLine(): Promise<number | undefined> {
    // The arrow and the line number are drawn in two layers: they belong together by where they lie.
    const arrow = this.editor.locator('.glyph-margin-widgets [class*="stackframe"]');
    if ((await arrow.count()) === 0) return undefined;
    const top = /top:\s*(\d+)px/.exec((await arrow.first().getAttribute('style')) ?? '')?.[1];
    const number = this.editor.locator(drawnAt('.margin-view-overlays > div', top)).locator('.line-numbers');
    return Number((await number.first().textContent())?.trim());
  }

  /** Until the machine stands at a line. */
  async stoppedAt(line: number): Promise<void> {
    let seen: number | undefined;
    await eventually(`the current line is ${line}`, async () => (seen = await this.currentLine()) === line).catch((error) => {
      throw new Error(`${error instanceof Error ? error.message : error}; it is ${seen}`);
    });
  }

  /** Ends every debug session that there is. */
  async endSessions(): Promise<void> {
    await this.showDebugView();
    const stop = this.debugButton('Stop');
    await clickUntil('the debug sessions end', stop, async () => (await stop.count()) === 0);
  }
}
