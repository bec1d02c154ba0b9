import { InvalidArgumentError } from "commander";

interface Range {
  readonly min: number;
  readonly max: number;
}

/** A flag's parser for a whole number within a range. */
export function integerFlag({ min, max }: Range): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`"${text}" is not a whole number from ${min} to ${max}.`);
  };
}

/** A flag's parser for a number above zero. */
export function positiveFlag(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError(`"${text}" is not a number above 0.`);
}

/** A flag's parser for a number from zero on. */
export function fromZeroFlag(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError(`"${text}" is not a number from 0.`);
}

/** A flag's parser for a share or a chance. */
export function shareFlag(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError(`"${text}" is not a number from 0 to 1.`);
}
