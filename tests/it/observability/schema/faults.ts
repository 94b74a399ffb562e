// What the types refuse. The compiler complains of every line here that it would let pass.
import type { Page } from "./page";

const page: Page = {
  schemaVersion: 42,
  panels: [],
  annotations: { list: [] },
  templating: { list: [] },
};

// @ts-expect-error: no field of a page
export const unknownField: Page = { ...page, autoRefresh: "10s" };
// @ts-expect-error: a number
export const wrongType: Page = { ...page, schemaVersion: "42" };
// @ts-expect-error: 0, 1 or 2
export const wrongValue: Page = { ...page, graphTooltip: 3 };

const stat = {
  type: "stat",
  fieldConfig: { defaults: { unit: "s" }, overrides: [] },
  targets: [],
} as const;
const options = {
  colorMode: "background",
  graphMode: "none",
  justifyMode: "center",
  orientation: "auto",
  textMode: "name",
  percentChangeColorMode: "standard",
  showPercentChange: false,
  wideLayout: true,
  reduceOptions: { calcs: ["last"] },
} as const;

type Stat = Extract<Page["panels"][number], { type: "stat" }>;
type Table = Extract<Page["panels"][number], { type: "table" }>;
export const right: Stat = { ...stat, targets: [], options: { ...options, reduceOptions: { calcs: [] } }, fieldConfig: { defaults: {}, overrides: [] } };
export const wrongOption: Stat = {
  ...right,
  // @ts-expect-error: none, value, background or background_solid
  options: { ...right.options, colorMode: "backgruond" },
};
export const unknownOption: Stat = {
  ...right,
  // @ts-expect-error: of a table
  options: { ...right.options, showHeader: true },
};
export const unknownDefault: Stat = {
  ...right,
  // @ts-expect-error: unit
  fieldConfig: { defaults: { units: "s" }, overrides: [] },
};
export const wrongCell: Table = {
  type: "table",
  targets: [],
  options: { frameIndex: 0, showHeader: true },
  // @ts-expect-error: no such kind of cell
  fieldConfig: { defaults: { custom: { align: "left", inspect: false, cellOptions: { type: "color" } } }, overrides: [] },
};
// @ts-expect-error: no such kind of panel here
export const wrongPanel: Page = { ...page, panels: [{ ...right, type: "singlestat" }] };
