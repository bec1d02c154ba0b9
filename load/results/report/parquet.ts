import { type BasicType, parquetWriteBuffer } from "hyparquet-writer";
import { type Column, columns, resultPoints } from "./column.ts";
import type { Report } from "./report.ts";

const TYPES: Readonly<Record<Column["type"], BasicType>> = {
  text: "STRING",
  number: "DOUBLE",
  integer: "INT32",
  flag: "BOOLEAN",
};

/** The same table as the CSV, typed: opens in DuckDB, pandas, Polars. */
export const parquet: Report = {
  name: "parquet",
  file: "points.parquet",
  write({ summary }) {
    const points = resultPoints(summary);
    const columnData = columns.map((column) => ({
      name: column.name,
      type: TYPES[column.type],
      nullable: true,
      data: points.map((point) => column.of(point, summary)),
    }));
    return new Uint8Array(parquetWriteBuffer({ columnData }));
  },
};
