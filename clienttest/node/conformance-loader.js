// The suite imports fs.globSync, which Node has since 22; it is not called where an authorization server is tested.
const fs = 'data:text/javascript,export * from "node:fs"; export { default } from "node:fs"; export const globSync = undefined;';

export async function resolve(specifier, context, next) {
  if (specifier === "fs" && context.parentURL?.includes("/conformance/")) return { url: fs, shortCircuit: true };
  return next(specifier, context);
}
