/** Who may import whom: the two tables of src/README.md as data, and the rule that reads them. */
import path from 'node:path';

/** `src/machine/`, from the ground up: a folder imports only folders before it in this list, and itself. */
// biome-ignore format: read as one list
export const MACHINE = [
  'base', 'x86', 'isa', 'state', 'time', 'ledger', 'profiles', 'emitter', 'memory', 'cpu', 'engine', 'devices', 'vmm', 'timeline', 'boot', 'models',
] as const;

/** `src/`: what a room may import, besides itself. `types x` means that only types may come from x. */
export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  machine: [],
  assembly: ['machine/base', 'machine/x86', 'machine/isa'],
  symbols: ['machine/base'],
  lint: ['assembly', 'machine/base', 'machine/x86', 'machine/isa', 'machine/ledger', 'machine/profiles'],
  debugger: ['machine', 'assembly', 'symbols', 'lint'],
  dap: ['debugger'],
  worker: ['machine', 'assembly', 'debugger', 'dap'],
  language: ['assembly', 'lint', 'machine/x86', 'machine/isa', 'machine/profiles'],
  views: ['machine/x86', 'types debugger', 'types machine/ledger'],
  cli: ['machine', 'assembly', 'debugger', 'dap', 'worker'],
  extension: ['views/protocol', 'machine/x86', 'types debugger', 'types machine/ledger'],
};

/** Rooms that know ES2022 alone: no Node, no DOM, no clock, no randomness. */
export const PURE = ['machine', 'assembly', 'symbols', 'lint', 'debugger'] as const;

const within = (file: string, folder: string): boolean => file === folder || file.startsWith(`${folder}/`) || file === `${folder}.ts`;

/** Why `file` (relative to src/) may not import `specifier`, in a sentence; undefined when it may. */
export function importViolation(file: string, specifier: string, typeOnly: boolean): string | undefined {
  const [room = '', folder = ''] = file.split('/');
  if (!specifier.startsWith('.')) {
    if (specifier === 'iced-x86') return file.startsWith('machine/isa/') ? undefined : 'only machine/isa/ imports iced-x86';
    if (specifier === '@vscode/debugadapter') return room === 'dap' ? undefined : 'only dap/ imports @vscode/debugadapter';
    if (specifier === '@vscode/debugprotocol' && typeOnly && (room === 'dap' || room === 'extension')) return undefined;
    if (specifier === 'vscode') return room === 'extension' ? undefined : 'only extension/ imports vscode';
    if (specifier.startsWith('node:'))
      return room === 'cli' || path.posix.basename(file) === 'node.ts' ? undefined : 'only cli/ and files named node.ts touch Node';
    return `${specifier} is no dependency that this room may have`;
  }
  if (!specifier.endsWith('.ts')) return `${specifier} names no .ts file`;
  const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier));
  if (target.startsWith('..')) return `${specifier} leaves src/`;
  const [targetRoom = '', targetFolder = ''] = target.split('/');

  if (room === 'machine' && targetRoom === 'machine') {
    // The files at the top of the room put its folders together: they see all of them, and none sees them.
    if (folder.endsWith('.ts')) return undefined;
    if (targetFolder.endsWith('.ts')) return `machine/${targetFolder} stands above all folders of machine/`;
    const from = MACHINE.indexOf(folder as never);
    const to = MACHINE.indexOf(targetFolder as never);
    if (from < 0) return `machine/${folder} is no folder of the table`;
    if (to < 0) return `machine/${targetFolder} is no folder of the table`;
    return to <= from ? undefined : `machine/${targetFolder}/ comes after machine/${folder}/ in the table`;
  }
  const allowed = ROOMS[room];
  if (allowed === undefined) return `${room}/ is no room of the table`;
  if (room === targetRoom) return undefined;
  if (allowed.some((rule) => (rule.startsWith('types ') ? typeOnly && within(target, rule.slice(6)) : within(target, rule))))
    return undefined;
  return `${room}/ may import ${allowed.length === 0 ? 'nothing outside itself' : allowed.join(', ')}`;
}
