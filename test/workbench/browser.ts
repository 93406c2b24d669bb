/** Chromium without a screen, with a profile of its own in a temporary folder. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Context, loadPlaywright, type Page } from './playwright.ts';
import type { Rig } from './rig.ts';

/** Tall, for the debug container has many views, and a list draws only the rows that there is room for. */
const VIEWPORT = { width: 1600, height: 1500 } as const;

export class Browser {
  private constructor(
    readonly page: Page,
    private readonly context: Context,
    private readonly profile: string,
    /** What the page has said on its console, and what went wrong in it. */
    readonly log: readonly string[],
  ) {}

  static async open(rig: Rig, url: string): Promise<Browser> {
    const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'exitpoint-browser-'));
    const context = await loadPlaywright(rig.folder).chromium.launchPersistentContext(profile, {
      executablePath: rig.chromium,
      headless: true,
      viewport: VIEWPORT,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    const page = context.pages()[0] ?? (await context.newPage());
    const log: string[] = [];
    page.on('console', (message) => log.push(`[${message.type()}] ${message.text()}`));
    page.on('pageerror', (error) => log.push(`[error] ${error.stack ?? error.message}`));
    page.on('requestfailed', (request) => log.push(`[failed] ${request.url()} ${request.failure()?.errorText}`));
    page.setDefaultTimeout(30_000);
    await page.goto(url, { waitUntil: 'domcontentloaded', timeout: 60_000 });
    return new Browser(page, context, profile, log);
  }

  async close(): Promise<void> {
    await this.context.close();
    fs.rmSync(this.profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}
