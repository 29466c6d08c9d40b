"use strict";

let description;

/** Creates an element with attributes and children. Strings become text nodes, never HTML. */
function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Resolves a `$ref` within the description. */
function resolve(schema) {
  if (!schema || !schema.$ref) return schema;
  return schema.$ref.slice(2).split("/").reduce((at, part) => at[part], description);
}

/** A short name for the type of a schema. */
function type(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  const one = (schema.oneOf || schema.anyOf || schema.allOf || []).map(type).filter(Boolean);
  if (one.length) return one.join(schema.allOf ? " and " : " or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  const types = [].concat(schema.type || "any");
  return types.map((name) => (name === "array" ? `list of ${type(schema.items) || "any"}` : name)).join(" or ");
}

/** The fields of a schema, including those of its `allOf` parts. */
function fields(schema) {
  const whole = resolve(schema) || {};
  const parts = (whole.allOf || []).flatMap(fields);
  const required = new Set(whole.required || []);
  const own = Object.entries(whole.properties || {}).map(([name, value]) => ({ name, value, isRequired: required.has(name) }));
  return parts.concat(own);
}

function table(rows) {
  const cells = (kind, texts) => make("tr", {}, ...texts.map((text) => make(kind, {}, text)));
  const head = cells("th", ["Name", "Type", "Description"]);
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows.map((row) => cells("td", row))));
}

/** Tables of a schema and of every schema it refers to, each once. */
function schemaTables(schema, seen) {
  const rows = fields(schema);
  const out = [];
  if (rows.length) {
    const typeOf = (field) => `${type(field.value)}${field.isRequired ? ", required" : ""}`;
    out.push(table(rows.map((field) => [make("code", {}, field.name), typeOf(field), field.value.description || ""])));
  }
  for (const { value } of rows) {
    for (const name of JSON.stringify(value).match(/#\/components\/schemas\/[^"]+/g) || []) {
      if (seen.has(name)) continue;
      seen.add(name);
      const tables = schemaTables({ $ref: name }, seen);
      if (tables.length) out.push(make("h5", {}, name.split("/").pop()), ...tables);
    }
  }
  return out;
}

function contentTables(content) {
  return Object.entries(content || {}).flatMap(([kind, { schema }]) => [
    make("p", {}, make("code", {}, kind), schema ? ` ${type(schema)}` : ""),
    ...schemaTables(schema, new Set()),
  ]);
}

function operation(path, method, of) {
  const text = of.description || of.summary || "";
  const summary = make("summary", {}, make("span", { class: "method" }, method.toUpperCase()), make("code", {}, path));
  summary.append(text ? ` ${of.summary || text.split("\n")[0]}` : "");
  const details = make("details", { id: `${method}${path.replace(/\W+/g, "-")}` }, summary);
  if (of.description) details.append(make("p", {}, of.description));
  if (of.parameters && of.parameters.length) {
    const row = (one) => [make("code", {}, one.name), `${type(one.schema)}, ${one.in}`, one.description || ""];
    details.append(make("h4", {}, "Parameters"), table(of.parameters.map(row)));
  }
  if (of.requestBody) details.append(make("h4", {}, "Request"), ...contentTables(of.requestBody.content));
  details.append(make("h4", {}, "Responses"));
  for (const [status, response] of Object.entries(of.responses || {})) {
    const answer = make("details", {}, make("summary", {}, `${status} ${response.description || ""}`));
    answer.append(...contentTables(response.content));
    details.append(answer);
  }
  return details;
}

async function show() {
  const page = document.getElementById("page");
  try {
    const response = await fetch("/openapi.json");
    if (!response.ok) throw new Error(`status ${response.status}`);
    description = await response.json();
  } catch (cause) {
    page.replaceChildren(make("p", { role: "alert" }, `The API description could not be loaded: ${cause.message}. Reload the page to try again.`));
    return;
  }
  const info = description.info;
  const parts = [make("h1", {}, `${info.title} ${info.version}`), make("p", {}, info.description || "")];
  parts.push(make("p", {}, "For programs: ", make("a", { href: "/openapi.json" }, "openapi.json")));
  for (const tag of description.tags || []) {
    parts.push(make("h2", {}, tag.description || tag.name));
    for (const [path, item] of Object.entries(description.paths)) {
      for (const [method, of] of Object.entries(item)) {
        if (of.tags && of.tags.includes(tag.name)) parts.push(operation(path, method, of));
      }
    }
  }
  page.replaceChildren(...parts);
}

show();
