/**
 * Loaded before the program (`node --import`): its clock on the wall is CLOCK_SKEW_MS wrong, and CLOCK_STEP_MS more after each SIGUSR2. The
 * one that never jumps is right.
 */
let skewMs = Number(process.env['CLOCK_SKEW_MS'] ?? 0);
process.on('SIGUSR2', () => {
  skewMs += Number(process.env['CLOCK_STEP_MS'] ?? 0);
});
const RealDate = Date;

globalThis.Date = class SkewedDate extends RealDate {
  constructor(...args: readonly unknown[]) {
    super(...((args.length === 0 ? [RealDate.now() + skewMs] : args) as [number]));
  }

  static override now(): number {
    return RealDate.now() + skewMs;
  }
} as DateConstructor;
