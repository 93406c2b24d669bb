/** The general registers, with their lower halves. */
import { type Look, registerVariable } from './look.ts';
import type { Variable } from './variable.ts';

const REGISTERS = ['eax', 'ebx', 'ecx', 'edx', 'esi', 'edi', 'ebp', 'esp'] as const;

export const generalRegisters = (look: Look): readonly Variable[] =>
  REGISTERS.map((name) =>
    registerVariable(look, name, {
      children: () => {
        const half = name.slice(1);
        const letter = half[0] as string;
        return [half, ...(half.endsWith('x') ? [`${letter}h`, `${letter}l`] : [])].map((part) => registerVariable(look, part));
      },
    }),
  );
