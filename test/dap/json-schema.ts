/** As much of JSON schema as the Debug Adapter Protocol's is written in. */

export interface Schema {
  readonly definitions?: Readonly<Record<string, Schema>>;
  readonly $ref?: string;
  readonly allOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: boolean | Schema;
  readonly minimum?: number;
  readonly maximum?: number;
}

const isType = (value: unknown, type: string): boolean => {
  switch (type) {
    case 'integer':
      return Number.isInteger(value);
    case 'array':
      return Array.isArray(value);
    case 'null':
      return value === null;
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    default:
      return typeof value === type;
  }
};

/** Does a JSON value fit? Properties that the schema does not name are allowed, as JSON schema has it. */
export function fits(root: Schema, schema: Schema, value: unknown): boolean {
  if (schema.$ref !== undefined) {
    const named = root.definitions?.[schema.$ref.replace('#/definitions/', '')];
    if (named === undefined) throw new Error(`the schema has no ${schema.$ref}`);
    return fits(root, named, value);
  }
  if (schema.allOf?.some((part) => !fits(root, part, value))) return false;
  if (schema.oneOf !== undefined && schema.oneOf.filter((part) => fits(root, part, value)).length !== 1) return false;
  if (schema.type !== undefined && ![schema.type].flat().some((type) => isType(value, type as string))) return false;
  if (schema.enum !== undefined && !schema.enum.includes(value)) return false;
  if (typeof value === 'number' && (value < (schema.minimum ?? -Infinity) || value > (schema.maximum ?? Infinity))) return false;
  if (Array.isArray(value)) return schema.items === undefined || value.every((element) => fits(root, schema.items!, element));
  if (typeof value !== 'object' || value === null) return true;
  const object = value as Record<string, unknown>;
  if (schema.required?.some((name) => !(name in object))) return false;
  return Object.entries(object).every(([name, property]) => {
    const declared = schema.properties?.[name];
    if (declared !== undefined) return fits(root, declared, property);
    return typeof schema.additionalProperties === 'object' ? fits(root, schema.additionalProperties, property) : true;
  });
}
