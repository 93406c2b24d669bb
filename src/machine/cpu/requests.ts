/** The answers an instruction finds when it is completed: see processor.ts. */
import { Request, type Requests } from './processor.ts';

export class RequestSlots implements Requests {
  readonly read = { state: Request.NONE as number, gpa: 0, size: 0, value: 0, valueHigh: 0 };
  readonly write = { state: Request.NONE as number, gpa: 0, size: 0 };
  readonly inout = { state: Request.NONE as number, value: 0 };
  readonly msr = { state: Request.NONE as number, value: 0, valueHigh: 0 };
  clear(): void {
    this.read.state = this.write.state = this.inout.state = this.msr.state = Request.NONE;
  }
}
