// Generates a TypeScript file for each dashboard that assigns the dashboard and each of its parts to the types that
// Grafana publishes. The compiler then reports unknown fields, wrong types and invalid values.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';

const here = new URL('.', import.meta.url);
const folder = new URL('../', here);
const generated = new URL('generated/', here);
rmSync(generated, { recursive: true, force: true });
mkdirSync(generated);

// The panel types in use: the name of the published type, and whether it has field settings.
const KINDS = {
  barchart: ['BarChart', true],
  bargauge: ['BarGauge', false],
  stat: ['Stat', false],
  table: ['Table', true],
  timeseries: ['TimeSeries', true],
};
const imports = Object.entries(KINDS).flatMap(([kind, [name, hasFields]]) => {
  const types = [`Options as ${name}Options`, ...(hasFields ? [`FieldConfig as ${name}Fields`] : [])];
  return `import type { ${types.join(', ')} } from '@grafana/schema/dist/esm/raw/composable/${kind}/panelcfg/x/${name}PanelCfg_types.gen';`;
});

const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
if (files.length === 0) throw new Error('no dashboards found');
for (const file of files) {
  const dashboard = JSON.parse(readFileSync(new URL(file, folder), 'utf8'));
  const lines = [
    `import type { Dashboard, Panel, RowPanel, VariableModel } from '@grafana/schema';`,
    ...imports,
    `import type { Field, Json } from '../json.js';`,
  ];
  let number = 0;
  const assign = (type, value) => {
    number += 1;
    lines.push(`export const part${number}: Json<${type}> = ${JSON.stringify(value, null, 2)};`);
  };
  const { panels, templating, ...rest } = dashboard;
  assign('Dashboard', rest);
  for (const variable of templating?.list ?? []) assign('VariableModel', variable);
  const visit = (panel) => {
    lines.push(`// ${panel.title}`);
    if (panel.type === 'row') {
      const { panels: inner = [], ...row } = panel;
      assign('RowPanel', { ...row, panels: [] });
      inner.forEach(visit);
      return;
    }
    const kind = KINDS[panel.type];
    if (!kind) throw new Error(`${file}: unsupported panel type ${panel.type}`);
    const { options, fieldConfig, ...plain } = panel;
    const { custom, ...defaults } = fieldConfig.defaults;
    assign('Panel', { ...plain, fieldConfig: { ...fieldConfig, defaults } });
    assign(`Partial<${kind[0]}Options>`, options);
    if (custom) assign(kind[1] ? `Partial<${kind[0]}Fields>` : 'Record<string, never>', custom);
    // Overrides set field settings of the panel.
    for (const { properties } of fieldConfig.overrides) {
      for (const { id, value } of properties) {
        if (!id.startsWith('custom.')) assign('Field', { [id]: value });
        else if (kind[1]) assign(`Partial<${kind[0]}Fields>`, { [id.slice('custom.'.length)]: value });
        else throw new Error(`${file}: ${panel.title}: ${id} is not a setting of ${panel.type}`);
      }
    }
  };
  panels.forEach(visit);
  writeFileSync(new URL(file.replace(/\.json$/, '.ts'), generated), lines.join('\n') + '\n');
}
