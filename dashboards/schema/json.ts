import type { FieldConfig } from '@grafana/schema';

/** A type as JSON has it: enumerations are their words and numbers, and a reset value may be null. */
export type Json<T> = T extends string
  ? `${T}`
  : T extends number
    ? number extends T
      ? number
      : `${T}` extends `${infer N extends number}`
        ? N
        : never
    : T extends (infer Item)[]
      ? Json<Item>[]
      : T extends object
        ? { [Key in keyof T]: Json<T[Key]> }
        : T;

/** The settings of a field that are the same in every panel. */
export type Field = Omit<FieldConfig, 'custom'>;
