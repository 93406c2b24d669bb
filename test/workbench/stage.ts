/** A workbench with the extension in it, and its story told in steps: a picture of each, and everything that is known when one fails. */
import fs from 'node:fs';
import path from 'node:path';
import { ROOT, read } from '../architecture/source.ts';
import { Browser } from './browser.ts';
import { FILES } from './files.ts';
import { prepareRig } from './rig.ts';
import { Server } from './server.ts';
import { Workbench } from './workbench.ts';

const { name, version, publisher } = JSON.parse(read('package.json')) as Record<string, string>;
export const EXTENSION = `${publisher}.${name}`;
const SHOTS = path.join(ROOT, 'test/workbench/shots');

export type ExtensionHost = 'node' | 'web';

export class Stage {
  private shot = 0;

  private constructor(
    private readonly host: ExtensionHost,
    private readonly server: Server,
    private readonly browser: Browser,
    readonly workbench: Workbench,
  ) {}

  static async open(host: ExtensionHost): Promise<Stage> {
    const extension = path.join(ROOT, `${name}-${version}.vsix`);
    if (!fs.existsSync(extension)) throw new Error(`There is no ${path.basename(extension)}; npm run package makes it.`);
    const rig = prepareRig((line) => console.log(`workbench: ${line}`));
    fs.rmSync(path.join(SHOTS, host), { recursive: true, force: true });
    fs.mkdirSync(path.join(SHOTS, host), { recursive: true });
    const settings = host === 'web' ? { 'remote.extensionKind': { [EXTENSION]: ['web'] } } : {};
    const server = await Server.start(rig, { files: FILES, extension, settings });
    try {
      const browser = await Browser.open(rig, server.url);
      const stage = new Stage(host, server, browser, new Workbench(browser.page));
      await stage.step('the workbench opens', () => stage.workbench.ready('icrlo.asm'));
      return stage;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  /** One step, with a picture after it. */
  async step<T>(sentence: string, act: () => Promise<T>): Promise<T> {
    const file = `${String(++this.shot).padStart(2, '0')}-${sentence.replace(/[^\w]+/g, '-').toLowerCase()}`;
    const picture = (suffix = ''): Promise<unknown> =>
      this.browser.page.screenshot({ path: path.join(SHOTS, this.host, `${file}${suffix}.png`), timeout: 10_000 });
    try {
      const result = await act();
      await picture();
      return result;
    } catch (error) {
      await picture('-failed').catch(() => {});
      const log = path.join(SHOTS, this.host, `${file}-failed.log`);
      fs.writeFileSync(log, [`--- page`, ...this.browser.log, this.server.logs()].join('\n'));
      const why = error instanceof Error ? error.message : String(error);
      const tail = this.browser.log.filter((line) => /exitpoint/i.test(line) && !line.includes('spdlog')).slice(-10);
      throw new Error(
        [
          `${sentence}: ${why.slice(0, 1500)}`,
          `Picture and log: ${path.relative(ROOT, log).replace(/\.log$/, '')}.{png,log}`,
          ...tail,
        ].join('\n'),
        { cause: error },
      );
    }
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.server.stop();
  }
}
