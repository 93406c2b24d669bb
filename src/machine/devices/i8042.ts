/**
 * Keyboard controller 8042 with an AT keyboard behind it (IBM PC AT Technical Reference, "Keyboard Controller" and "Keyboard"; PS/2 Hardware
 * Interface Technical Reference, "Keyboard/Auxiliary Device Controller").
 *
 * The keyboard answers at once. There is no auxiliary device: what is sent to it times out. Not implemented: the controller's RAM but for the command
 * byte, typematic repeat, scan code translation of keys (`receive` takes codes as the controller passes them on), the password.
 */
import { hex } from '../base/bits.ts';
import { checkQueue } from './byte-queue.ts';
import { Access, type Device, type InspectNode, type Pin, type RegisterFacet } from './device.ts';
import { checkBoolean, checkInteger, checkKind } from './validate.ts';

// Status register (port 64h).
const OUTPUT_FULL = 0x01;
const SYSTEM_FLAG = 0x04;
const LAST_WAS_COMMAND = 0x08;
const NOT_LOCKED = 0x10;
const FROM_AUXILIARY = 0x20;
const TIMED_OUT = 0x40;

// Command byte (controller RAM 20h).
const CB_KEYBOARD_INTERRUPT = 0x01;
const CB_SYSTEM_FLAG = 0x04;
const CB_KEYBOARD_DISABLED = 0x10;
const CB_AUXILIARY_DISABLED = 0x20;
const CB_TRANSLATE = 0x40;

// Output port.
/** Low: the processors are held in reset. */
const NOT_RESET = 0x01;
const A20 = 0x02;
const OUTPUT_PORT_AT_RESET = 0xcc | NOT_RESET | A20;

/** Input port: not locked, manufacturing jumper not installed. */
const INPUT_PORT = 0xa0;

const ACK = 0xfa;
const RESEND = 0xfe;
const SELF_TEST_PASSED = 0xaa;
/** What the keyboard and the host may have waiting in the controller; more is dropped, as a keyboard drops keys. */
const QUEUE_DEPTH = 16;

export interface I8042Wiring {
  /** IRQ 1: the output buffer holds a byte from the keyboard or the controller. */
  interrupt: Pin;
  /** The output port's A20 bit; a PC joins it with port 92h's by OR. High at reset; driven by load() too. */
  a20: Pin;
  /** The reset line is pulsed: reset the processors. */
  reset(): void;
}

export type I8042State = {
  kind: 'i8042';
  version: 1;
  commandByte: number;
  outputPort: number;
  /** SYSTEM_FLAG, LAST_WAS_COMMAND. */
  flags: number;
  /** Byte in the output buffer, with its status bits; full tells whether there is one. */
  full: boolean;
  output: number;
  outputFlags: number;
  /** Controller command that waits for its data byte, or 0. */
  command: number;
  /** Keyboard command that waits for its data byte, or 0. */
  keyboardCommand: number;
  keyboardQueue: number[];
  scanning: boolean;
  leds: number;
  scanCodeSet: number;
  line: boolean;
};

const atReset = (): I8042State => ({
  kind: 'i8042',
  version: 1,
  commandByte: CB_TRANSLATE,
  outputPort: OUTPUT_PORT_AT_RESET,
  flags: LAST_WAS_COMMAND,
  full: false,
  output: 0,
  outputFlags: 0,
  command: 0,
  keyboardCommand: 0,
  keyboardQueue: [],
  scanning: true,
  leds: 0,
  scanCodeSet: 2,
  line: false,
});

export class I8042 implements Device<I8042State> {
  readonly name = 'i8042';
  // state
  private state = atReset();

  constructor(
    // wiring
    private readonly wiring: I8042Wiring,
  ) {}

  /** Port 60h. */
  readonly data: RegisterFacet = {
    read: (_offset, size) => {
      if (size !== 1) return Access.absent;
      const s = this.state;
      s.full = false;
      s.outputFlags = 0;
      const value = s.output;
      // IRQ 1 falls with the buffer, so that the next byte makes an edge again.
      this.setLine(false);
      this.drive();
      return value;
    },
    write: (_offset, size, value) => {
      if (size !== 1) return Access.absent;
      const s = this.state;
      s.flags &= ~LAST_WAS_COMMAND;
      const command = s.command;
      s.command = 0;
      if (command) this.commandData(command, value);
      else this.toKeyboard(value);
      this.drive();
      return Access.ok;
    },
    peek: (_offset, size) => (size === 1 ? this.state.output : Access.absent),
  };

  /** Port 64h. */
  readonly command: RegisterFacet = {
    read: (_offset, size) => (size === 1 ? this.status : Access.absent),
    write: (_offset, size, value) => {
      if (size !== 1) return Access.absent;
      this.state.flags |= LAST_WAS_COMMAND;
      this.state.command = 0;
      this.controllerCommand(value);
      this.drive();
      return Access.ok;
    },
    peek: (_offset, size) => (size === 1 ? this.status : Access.absent),
  };

  /** A key's scan code byte, 0..255, as the controller passes it on. Dropped while scanning is off or the queue is full. */
  receive(byte: number): void {
    if (!this.state.scanning) return;
    this.fromKeyboard(byte & 0xff);
    this.drive();
  }

  reset(): void {
    this.state = atReset();
    this.wiring.interrupt(false);
    this.wiring.a20(true);
  }

  save(): I8042State {
    return { ...this.state, keyboardQueue: [...this.state.keyboardQueue] };
  }

  load(state: I8042State): void {
    checkKind(state, 'i8042', 1);
    for (const field of [
      'commandByte',
      'outputPort',
      'flags',
      'output',
      'outputFlags',
      'command',
      'keyboardCommand',
      'leds',
      'scanCodeSet',
    ] as const) {
      checkInteger(`i8042.${field}`, state[field], 0, 0xff);
    }
    for (const field of ['full', 'scanning', 'line'] as const) checkBoolean(`i8042.${field}`, state[field]);
    checkQueue('i8042.keyboardQueue', state.keyboardQueue, QUEUE_DEPTH);
    this.state = { ...state, keyboardQueue: [...state.keyboardQueue] };
    this.wiring.a20((state.outputPort & A20) !== 0);
  }

  inspect(): InspectNode {
    const s = this.state;
    return {
      name: this.name,
      value: s.full ? `output ${hex(s.output, 2)}` : 'output empty',
      children: [
        { name: 'status', value: hex(this.status, 2) },
        { name: 'command byte', value: hex(s.commandByte, 2) },
        { name: 'output port', value: hex(s.outputPort, 2) },
        { name: 'A20', value: s.outputPort & A20 ? 'on' : 'off' },
        {
          name: 'keyboard',
          value: `${s.scanning ? 'scanning' : 'silent'}, ${s.keyboardQueue.length} waiting, scan code set ${s.scanCodeSet}`,
        },
      ],
    };
  }

  private get status(): number {
    const s = this.state;
    return NOT_LOCKED | s.flags | (s.full ? OUTPUT_FULL | s.outputFlags : 0);
  }

  private controllerCommand(command: number): void {
    const s = this.state;
    switch (command) {
      case 0x20: // read command byte
        return this.reply(s.commandByte);
      case 0xa7: // disable, enable auxiliary device
        s.commandByte |= CB_AUXILIARY_DISABLED;
        return;
      case 0xa8:
        s.commandByte &= ~CB_AUXILIARY_DISABLED;
        return;
      case 0xa9: // test auxiliary interface: no error, its lines float high
        return this.reply(0x00);
      case 0xaa: // self test
        s.flags |= SYSTEM_FLAG;
        s.commandByte |= CB_SYSTEM_FLAG;
        return this.reply(0x55);
      case 0xab: // test keyboard interface: no error
        return this.reply(0x00);
      case 0xad: // disable, enable keyboard
        s.commandByte |= CB_KEYBOARD_DISABLED;
        return;
      case 0xae:
        s.commandByte &= ~CB_KEYBOARD_DISABLED;
        return;
      case 0xc0: // read input port
        return this.reply(INPUT_PORT);
      case 0xd0: // read output port
        return this.reply(s.outputPort);
      case 0x60: // write command byte
      case 0xd1: // write output port
      case 0xd2: // write keyboard output buffer
      case 0xd3: // write auxiliary output buffer
      case 0xd4: // write to auxiliary device
        s.command = command;
        return;
      case 0xdd: // A20 off, on: chip sets' own
        return this.setOutputPort(s.outputPort & ~A20);
      case 0xdf:
        return this.setOutputPort(s.outputPort | A20);
      default:
        // F0-FF: pulse output port bits 3-0 low where the command's are 0. Only bit 0 has a wire that notices.
        if (command >= 0xf0 && !(command & NOT_RESET)) this.wiring.reset();
    }
  }

  private commandData(command: number, value: number): void {
    const s = this.state;
    switch (command) {
      case 0x60:
        s.commandByte = value;
        s.flags = (s.flags & ~SYSTEM_FLAG) | (value & CB_SYSTEM_FLAG ? SYSTEM_FLAG : 0);
        return;
      case 0xd1:
        return this.setOutputPort(value);
      case 0xd2:
        return this.reply(value);
      case 0xd3:
        return this.reply(value, FROM_AUXILIARY);
      default: // D4: nobody answers
        return this.reply(RESEND, FROM_AUXILIARY | TIMED_OUT);
    }
  }

  private setOutputPort(value: number): void {
    const s = this.state;
    const changed = s.outputPort ^ value;
    s.outputPort = value;
    if (changed & A20) this.wiring.a20((value & A20) !== 0);
    if (changed & NOT_RESET && !(value & NOT_RESET)) this.wiring.reset();
  }

  /** A byte of the controller's own, which goes before any of the keyboard's. */
  private reply(byte: number, flags = 0): void {
    const s = this.state;
    s.full = true;
    s.output = byte;
    s.outputFlags = flags;
  }

  private fromKeyboard(byte: number): void {
    const { keyboardQueue } = this.state;
    if (keyboardQueue.length < QUEUE_DEPTH) keyboardQueue.push(byte);
  }

  /** A byte for the keyboard: a command, or the data of one. */
  private toKeyboard(byte: number): void {
    const s = this.state;
    // Sending opens the interface ("the keyboard interface is enabled when data is sent").
    s.commandByte &= ~CB_KEYBOARD_DISABLED;
    const command = s.keyboardCommand;
    s.keyboardCommand = 0;
    if (command && byte < 0xed) return this.keyboardData(command, byte);
    switch (byte) {
      case 0xed: // set LEDs
      case 0xf0: // scan code set
      case 0xf3: // typematic rate
      case 0xfb: // set 3: one key typematic, make/break, make
      case 0xfc:
      case 0xfd:
        s.keyboardCommand = byte;
        return this.fromKeyboard(ACK);
      case 0xee: // echo
        return this.fromKeyboard(0xee);
      case 0xf2: // identify: AB 83
        this.fromKeyboard(ACK);
        this.fromKeyboard(0xab);
        return this.fromKeyboard(this.translated(0x83));
      case 0xf4: // enable
        s.scanning = true;
        s.keyboardQueue.length = 0;
        return this.fromKeyboard(ACK);
      case 0xf5: // defaults, and stop scanning; defaults
      case 0xf6:
        s.scanning = byte === 0xf6;
        s.scanCodeSet = 2;
        s.leds = 0;
        s.keyboardQueue.length = 0;
        return this.fromKeyboard(ACK);
      case 0xf7: // set 3: all keys typematic, make/break, make, all
      case 0xf8:
      case 0xf9:
      case 0xfa:
        return this.fromKeyboard(ACK);
      case 0xff: // reset
        s.scanning = true;
        s.scanCodeSet = 2;
        s.leds = 0;
        s.keyboardQueue.length = 0;
        this.fromKeyboard(ACK);
        return this.fromKeyboard(SELF_TEST_PASSED);
      default:
        return this.fromKeyboard(RESEND);
    }
  }

  private keyboardData(command: number, byte: number): void {
    const s = this.state;
    this.fromKeyboard(ACK);
    if (command === 0xed) s.leds = byte & 7;
    else if (command === 0xf0) {
      if (byte === 0) this.fromKeyboard(this.translated(s.scanCodeSet));
      else if (byte <= 3) s.scanCodeSet = byte;
    }
  }

  /** What the controller's translation makes of the few low codes that are in the keyboard's replies. */
  private translated(byte: number): number {
    if (!(this.state.commandByte & CB_TRANSLATE)) return byte;
    return ({ 1: 0x43, 2: 0x41, 3: 0x3f, 0x83: 0x41 } as Record<number, number>)[byte] ?? byte;
  }

  /** Moves the keyboard's next byte into an empty output buffer, and drives IRQ 1. */
  private drive(): void {
    const s = this.state;
    if (!s.full && !(s.commandByte & CB_KEYBOARD_DISABLED)) {
      const next = s.keyboardQueue.shift();
      if (next !== undefined) this.reply(next);
    }
    const level = s.full && !(s.outputFlags & FROM_AUXILIARY) && (s.commandByte & CB_KEYBOARD_INTERRUPT) !== 0;
    this.setLine(level);
  }

  private setLine(level: boolean): void {
    if (level === this.state.line) return;
    this.state.line = level;
    this.wiring.interrupt(level);
  }
}
