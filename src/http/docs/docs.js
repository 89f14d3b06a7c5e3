// Shows /openapi.json. Texts are set as texts, never as markup.
"use strict";

const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

const resolve = (api, schema) =>
  schema && schema.$ref ? schema.$ref.slice(2).split("/").reduce((at, part) => at[part], api) : schema;

const typeName = (schema) => {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.oneOf) return schema.oneOf.map(typeName).join(" or ");
  if (schema.type === "array") return `list of ${typeName(schema.items)}`;
  const types = [].concat(schema.type || "any").join(" or ");
  return schema.format ? `${types} (${schema.format})` : types;
};

const table = (head, rows) =>
  element("div", { className: "scroll" }, element("table", {},
    element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell)))))));

const code = (text) => element("code", {}, text);

// The fields of a schema; those of its parts under their own names.
const fields = (api, schema, seen = new Set()) => {
  const name = schema && schema.$ref;
  const found = resolve(api, schema) || {};
  if (found.type === "array") return fields(api, found.items, seen);
  if (name && seen.has(name)) return [];
  seen.add(name);
  const parts = (found.allOf || []).flatMap((part) => fields(api, part, seen));
  const own = Object.entries(found.properties || {});
  const inner = own.map(([, field]) => (field.type === "array" ? field.items : field)).filter((field) => field && field.$ref);
  const shown = own.length ? [element("h4", {}, name ? typeName(schema) : "Fields"),
    table(["field", "type", "meaning"], own.map(([key, field]) => [code(key), typeName(field), field.description || ""]))] : [];
  return [...parts, ...shown, ...inner.flatMap((field) => fields(api, field, seen))];
};

const attempt = (path) => {
  const input = element("input", { value: path, ariaLabel: "Path to ask for" });
  const shown = element("pre", { hidden: true });
  const form = element("form", {}, input, element("button", {}, "GET"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    shown.hidden = false;
    shown.textContent = "…";
    try {
      const answer = await fetch(input.value);
      const text = await answer.text();
      const isJson = (answer.headers.get("content-type") || "").includes("json");
      const body = isJson && text ? JSON.stringify(JSON.parse(text), null, 2) : text;
      shown.textContent = `${answer.status}\n${body.slice(0, 20000)}`;
    } catch (error) {
      shown.textContent = String(error);
    }
  });
  return [form, shown];
};

const operation = (api, path, method, described) => {
  const id = `${method}${path}`.replace(/[^a-z0-9]+/gi, "-");
  const parameters = (described.parameters || []).map((parameter) =>
    [code(parameter.name), parameter.in + (parameter.required ? ", required" : ""), parameter.description || ""]);
  const responses = Object.entries(described.responses || {}).map(([status, response]) =>
    [code(status), response.description || ""]);
  const bodies = Object.entries(described.responses || {}).filter(([status]) => status.startsWith("2"))
    .flatMap(([, response]) => Object.values(response.content || {})).flatMap((content) => fields(api, content.schema));
  const made = element("article", { id },
    element("h3", {}, element("span", { className: "method" }, method.toUpperCase()), " ", element("span", { className: "path" }, path)),
    element("p", {}, [described.summary, described.description].filter(Boolean).join(" ")));
  if (parameters.length) made.append(table(["parameter", "in", "meaning"], parameters));
  made.append(table(["status", "meaning"], responses));
  if (bodies.length) made.append(element("details", {}, element("summary", {}, "Fields of the answer"), ...bodies));
  if (method === "get") made.append(...attempt(path));
  return { id, made, tag: (described.tags || ["other"])[0], label: `${method.toUpperCase()} ${path}` };
};

const show = (api) => {
  document.getElementById("title").textContent = `${api.info.title} ${api.info.version}`;
  document.getElementById("about").textContent = api.info.description || "";
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => operation(api, path, method, described)));
  const tags = [...new Set([...(api.tags || []).map((tag) => tag.name), ...operations.map(({ tag }) => tag)])];
  for (const tag of tags) {
    const described = (api.tags || []).find(({ name }) => name === tag);
    const ofTag = operations.filter((one) => one.tag === tag);
    if (!ofTag.length) continue;
    document.getElementById("paths").append(element("section", {}, element("h2", {}, tag),
      element("p", {}, (described && described.description) || ""), ...ofTag.map(({ made }) => made)));
  }
  document.getElementById("contents").append(element("ul", {}, ...operations.map(({ id, label }) =>
    element("li", {}, element("a", { href: `#${id}`, className: "path" }, label)))));
};

fetch("/openapi.json").then((answer) => answer.json()).then(show).catch((error) => {
  document.getElementById("about").textContent = `openapi.json cannot be shown: ${error}`;
});
