/** What `initialize` announces: only what works. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { FILTERS } from '../debugger/filters.ts';

const APPLIES = ['source', 'exception', 'instruction', 'data'];

export const capabilities = (): DebugProtocol.Capabilities => ({
  supportsConfigurationDoneRequest: true,
  supportsFunctionBreakpoints: true,
  supportsConditionalBreakpoints: true,
  supportsHitConditionalBreakpoints: true,
  supportsLogPoints: true,
  supportsInstructionBreakpoints: true,
  supportsDataBreakpoints: true,
  supportsDataBreakpointBytes: true,
  supportsBreakpointLocationsRequest: true,
  breakpointModes: [
    { mode: 'any', label: 'Any vCPU', description: 'Stops whichever vCPU comes there.', appliesTo: APPLIES },
    { mode: 'bsp', label: 'Bootstrap Processor', description: 'Stops vCPU0 alone.', appliesTo: APPLIES },
    { mode: 'aps', label: 'Application Processors', description: 'Stops every vCPU but vCPU0.', appliesTo: APPLIES },
  ],
  exceptionBreakpointFilters: FILTERS.map(({ filter, label, description, default: on, conditionDescription }) => ({
    filter,
    label,
    description,
    default: on,
    supportsCondition: true,
    conditionDescription,
  })),
  supportsExceptionFilterOptions: true,
  supportsExceptionInfoRequest: true,
  supportsStepBack: true,
  supportsGotoTargetsRequest: true,
  supportsSteppingGranularity: true,
  supportsSingleThreadExecutionRequests: true,
  supportsEvaluateForHovers: true,
  supportsClipboardContext: true,
  supportsSetVariable: true,
  supportsSetExpression: true,
  supportsValueFormattingOptions: true,
  supportsCompletionsRequest: true,
  completionTriggerCharacters: ['.', ':', '[', '@'],
  supportsReadMemoryRequest: true,
  supportsWriteMemoryRequest: true,
  supportsDisassembleRequest: true,
  supportsLoadedSourcesRequest: true,
  supportsRestartRequest: true,
  supportsTerminateRequest: true,
  supportTerminateDebuggee: true,
});
