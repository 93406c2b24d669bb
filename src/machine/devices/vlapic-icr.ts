/**
 * What an ICR write becomes: validity under the profile, target set, and at each target a verdict with its reason; all of it into the ledger.
 * Intel SDM vol. 3, "Issuing Interprocessor Interrupts"; the VMM's answers are the profile's table `icr`.
 *
 * Nothing here allocates.
 */
import { Reason, Verdict } from '../ledger/verdict.ts';
import type { IcrAction, Profile } from '../profiles/profile.ts';
import { DeliveryMode, Esr, FIRST_LEGAL_VECTOR } from '../x86/apic.ts';
import { icrDestination, icrLevelTriggered, icrLogical, icrMode, icrShorthand, icrVector, Shorthand } from '../x86/icr.ts';
import { Access } from './device.ts';
import type { Vlapic } from './vlapic.ts';
import { raiseError } from './vlapic-lvt.ts';

const SHORTHANDS = ['none', 'self', 'allIncluding', 'allExcluding'] as const;

/** The profile's table, flat: index mode << 4 | shorthand << 2 | trigger << 1 | level. */
export function flattenIcrTable(profile: Profile): readonly IcrAction[] {
  return profile.icr.flatMap((mode) => SHORTHANDS.flatMap((shorthand) => [...mode[shorthand]]));
}

const actionIndex = (low: number): number => (icrMode(low) << 4) | (icrShorthand(low) << 2) | ((low >>> 14) & 3);

/** Boot states of the profiles without run states. The numbers are those of the run states they stand for: HALT, INIT, RUN. */
export const BootState = { INIT: 0, SIPI: 1, RUNNING: 2 } as const;

/** Sends what the sender's ICR holds. Gives Access.ok, or Access.toUserspace where the handler has no rule. */
export function sendIcr(sender: Vlapic): number {
  const { wiring, icrLow: low, icrHigh: high } = sender;
  const ipi = wiring.ledger.ipi(wiring.moment, wiring.currentExit, low, high);
  wiring.sentIpi(ipi);
  switch (sender.icrTable[actionIndex(low)]) {
    case 'deliver':
      if (icrMode(low) === DeliveryMode.FIXED && icrVector(low) < FIRST_LEGAL_VECTOR) {
        notSent(sender, ipi, Reason.illegalVector);
        raiseError(sender, Esr.SEND_ILLEGAL_VECTOR);
      } else {
        deliver(sender, ipi);
      }
      return Access.ok;
    case 'arm':
      return arm(sender, ipi);
    case 'unsupported':
      return notSent(sender, ipi, Reason.modeUnsupported);
    case 'deassert':
      return notSent(sender, ipi, Reason.levelDeassert);
    case 'levelClear':
      return notSent(sender, ipi, Reason.initLevelBitClear);
    case 'toUserspace':
      notSent(sender, ipi, Reason.notHandled);
      return Access.toUserspace;
    default:
      return notSent(sender, ipi, Reason.invalidCombination);
  }
}

/** Does the sender's ICR name `target`? Reason.none, or why not; the register value behind it is left in target.result.detail. */
function addressed(sender: Vlapic, target: Vlapic): Reason {
  switch (icrShorthand(sender.icrLow)) {
    case Shorthand.NONE:
      return target.matches(icrDestination(sender.icrHigh), icrLogical(sender.icrLow));
    case Shorthand.SELF:
      target.result.detail = target.id << 24;
      return target === sender ? Reason.none : Reason.idMismatch;
    case Shorthand.ALL_EXCLUDING_SELF:
      target.result.detail = 0;
      return target === sender ? Reason.senderExcluded : Reason.none;
    default:
      return Reason.none;
  }
}

/** The whole value has no effect: every vCPU that it names hears nothing. */
function notSent(sender: Vlapic, ipi: number, reason: Reason): number {
  const { ledger } = sender.wiring;
  for (const target of sender.peers) {
    const mismatch = addressed(sender, target);
    if (mismatch === Reason.none) ledger.ipiTarget(ipi, target.id, Verdict.notSent, reason, sender.icrLow);
    else ledger.ipiTarget(ipi, target.id, Verdict.notAddressed, mismatch, target.result.detail);
  }
  return Access.ok;
}

function deliver(sender: Vlapic, ipi: number): void {
  const { wiring, icrLow: low } = sender;
  const { ledger } = wiring;
  const vector = icrVector(low);
  const level = sender.ipiSetsTmr && icrLevelTriggered(low);
  for (const target of sender.peers) {
    const id = target.id;
    const mismatch = addressed(sender, target);
    if (mismatch !== Reason.none) {
      ledger.ipiTarget(ipi, id, Verdict.notAddressed, mismatch, target.result.detail);
      continue;
    }
    if (!wiring.isActive(id)) {
      ledger.ipiTarget(ipi, id, Verdict.notAddressed, Reason.notActive, id);
      continue;
    }
    let result = wiring.inject;
    switch (icrMode(low)) {
      case DeliveryMode.NMI:
        wiring.injectNmi(id, ipi);
        break;
      case DeliveryMode.INIT:
        wiring.injectInit(id, ipi);
        break;
      case DeliveryMode.STARTUP:
        wiring.injectSipi(id, vector, ipi);
        break;
      default:
        target.setIrr(vector, level, ipi);
        result = target.result;
    }
    ledger.ipiTarget(ipi, id, result.verdict, result.reason, result.detail);
    if (result === target.result && result.verdict === Verdict.reached) wiring.notify(id);
  }
}

/**
 * INIT and STARTUP before run states: only vCPU 0 may send them, the destination byte is a vCPU index (1 to the VM's maximum, configured or not),
 * and they do no more than walk a boot state; the target's registers and local APIC are not touched. Everything else goes to userspace.
 */
function arm(sender: Vlapic, ipi: number): number {
  const { wiring, icrLow: low } = sender;
  const { ledger } = wiring;
  const destination = icrDestination(sender.icrHigh);
  if (sender.id !== 0 || destination === 0 || destination >= sender.maxVcpus) {
    notSent(sender, ipi, Reason.notHandled);
    return Access.toUserspace;
  }
  const before = sender.bootStateOf(destination);
  const startup = icrMode(low) === DeliveryMode.STARTUP;
  let verdict: Verdict = Verdict.reached;
  let reason: Reason = Reason.none;
  if (before === BootState.RUNNING) {
    verdict = Verdict.refused;
    reason = Reason.alreadyRunning;
  } else if (startup && before === BootState.INIT) {
    verdict = Verdict.refused;
    reason = Reason.notWaitingForSipi;
  } else if (!startup && before === BootState.SIPI) {
    verdict = Verdict.merged;
  }
  for (const target of sender.peers) {
    if (target.id === destination) ledger.ipiTarget(ipi, destination, verdict, reason, before);
    else ledger.ipiTarget(ipi, target.id, Verdict.notAddressed, Reason.idMismatch, target.id << 24);
  }
  if (verdict === Verdict.reached) {
    sender.setBootStateOf(destination, startup ? BootState.RUNNING : BootState.SIPI);
    if (startup) wiring.requestSpinup(destination, icrVector(low) << 12, ipi);
  }
  return Access.ok;
}
