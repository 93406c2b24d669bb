import { describe, expect, it } from 'vitest';
import {
  EXCEPTION_MNEMONICS,
  errorCodeWords,
  exceptionMnemonic,
  exceptionNamed,
  exceptionWords,
  pushesErrorCode,
} from '../../../src/machine/x86/exceptions.ts';

describe('exceptions by name', () => {
  it('are known by the mnemonic of the manual, with or without #, in any case', () => {
    expect([exceptionNamed('GP'), exceptionNamed('#pf'), exceptionNamed('nmi'), exceptionNamed('DE')]).toEqual([13, 14, 2, 0]);
  });
  it('a word that is no mnemonic names none, nor does the empty one of vector 9', () => {
    expect([exceptionNamed('XY'), exceptionNamed(''), exceptionNamed('#')]).toEqual([undefined, undefined, undefined]);
  });
  it('every mnemonic names a vector that is shown by it again', () => {
    for (const name of EXCEPTION_MNEMONICS) expect(exceptionMnemonic(exceptionNamed(name) as number).replace('#', '')).toBe(name);
  });
  it('have words; a vector without a name is shown as a number', () => {
    expect([exceptionWords(13), exceptionWords(9), exceptionMnemonic(9), exceptionMnemonic(0x30)]).toEqual([
      'general protection',
      '',
      'vector 09',
      'vector 30',
    ]);
  });
});

describe('error codes', () => {
  it('are pushed by the faults that concern a selector or a page, and by #DF, #AC and #CP', () => {
    expect([...Array(32).keys()].filter(pushesErrorCode)).toEqual([8, 10, 11, 12, 13, 14, 17, 21]);
  });
  it('name the selector and its table, or the gate', () => {
    expect(errorCodeWords(13, 0x10)).toBe('selector 0010 in the GDT');
    expect(errorCodeWords(13, 0x0c)).toBe('selector 0008 in the LDT');
    expect(errorCodeWords(13, 0x30 * 8 + 2)).toBe('vector 30 of the IDT');
    expect(errorCodeWords(11, 0x30 * 8 + 3)).toBe('vector 30 of the IDT, while an external event was delivered');
    expect(errorCodeWords(13, 0)).toBe('0');
  });
  it('of a page fault say what was tried, on what page, and by whom', () => {
    expect(errorCodeWords(14, 0)).toBe('a read of a page that is not present, by the supervisor');
    expect(errorCodeWords(14, 7)).toBe('a write to a page that forbids it, at CPL 3');
    expect(errorCodeWords(14, 0x15)).toBe('an instruction fetch from a page that forbids it, at CPL 3');
  });
});
