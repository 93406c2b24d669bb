/** Every definition, by being imported. */
import './arithmetic.ts';
import './bits.ts';
import './control.ts';
import './move.ts';
import './shift.ts';
import './strings.ts';
import './system.ts';
