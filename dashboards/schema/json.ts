import type { FieldConfig } from '@grafana/schema';

/** The JSON form of a type: enumerations become their string and number values. */
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

/** The field settings that all panels share. */
export type Field = Omit<FieldConfig, 'custom'>;
