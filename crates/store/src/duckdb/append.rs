//! Rows on their way into the engine: columns are built and appended as Arrow record batches.

use super::engine_error;
use super::slots::Slots;
use super::value;
use crate::StoreError;
use duckdb::Connection;
use duckdb::arrow::array::{
    ArrayBuilder as _, ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, Float64Array, Int64Array,
    ListArray, StringBuilder, StructArray, UInt8Array, UInt32Array, UInt64Array,
};
use duckdb::arrow::buffer::{Buffer, NullBuffer, OffsetBuffer};
use duckdb::arrow::datatypes::{DataType, Field, Fields, Schema};
use duckdb::arrow::record_batch::RecordBatch;
use meshscope_model::{Attributes, KeyValue, TraceId};
use std::collections::HashMap;
use std::sync::Arc;

/// Columns of a table in the order of its definition.
#[derive(Default)]
pub(super) struct Columns {
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
}

impl Columns {
    fn push(&mut self, data_type: DataType, array: ArrayRef) {
        let name = format!("c{}", self.fields.len());
        self.fields.push(Field::new(name, data_type, true));
        self.arrays.push(array);
    }

    pub(super) fn i64(&mut self, values: impl Iterator<Item = Option<i64>>) {
        self.push(DataType::Int64, Arc::new(Int64Array::from_iter(values)));
    }

    pub(super) fn u64(&mut self, values: impl Iterator<Item = Option<u64>>) {
        self.push(DataType::UInt64, Arc::new(UInt64Array::from_iter(values)));
    }

    pub(super) fn blobs(&mut self, values: impl Iterator<Item = Vec<u8>>) {
        let values: Vec<Vec<u8>> = values.collect();
        let array = BinaryArray::from_iter_values(values);
        self.push(DataType::Binary, Arc::new(array));
    }

    pub(super) fn u32(&mut self, values: impl Iterator<Item = u32>) {
        self.push(DataType::UInt32, Arc::new(UInt32Array::from_iter_values(values)));
    }

    pub(super) fn u8(&mut self, values: impl Iterator<Item = u8>) {
        self.push(DataType::UInt8, Arc::new(UInt8Array::from_iter_values(values)));
    }

    pub(super) fn optional_u8(&mut self, values: impl Iterator<Item = Option<u8>>) {
        self.push(DataType::UInt8, Arc::new(UInt8Array::from_iter(values)));
    }

    pub(super) fn f64(&mut self, values: impl Iterator<Item = Option<f64>>) {
        self.push(DataType::Float64, Arc::new(Float64Array::from_iter(values)));
    }

    pub(super) fn bool(&mut self, values: impl Iterator<Item = bool>) {
        let values: Vec<bool> = values.collect();
        self.push(DataType::Boolean, Arc::new(BooleanArray::from(values)));
    }

    pub(super) fn text<'a>(&mut self, values: impl Iterator<Item = Option<&'a str>>) {
        let mut builder = StringBuilder::new();
        values.for_each(|text| builder.append_option(text));
        self.push(DataType::Utf8, Arc::new(builder.finish()));
    }

    pub(super) fn owned_text(&mut self, values: impl Iterator<Item = Option<String>>) {
        let mut builder = StringBuilder::new();
        values.for_each(|text| builder.append_option(text));
        self.push(DataType::Utf8, Arc::new(builder.finish()));
    }

    /// Trace ids as the engine's UUID.
    pub(super) fn trace_ids(&mut self, values: impl Iterator<Item = Option<TraceId>>) {
        let (mut bytes, mut valid) = (Vec::new(), Vec::new());
        for id in values {
            valid.push(id.is_some());
            bytes.extend_from_slice(&id.unwrap_or_default().0);
        }
        let array = FixedSizeBinaryArray::new(16, Buffer::from_vec(bytes), Some(NullBuffer::from(valid)));
        self.push(DataType::FixedSizeBinary(16), Arc::new(array));
        if let Some(field) = self.fields.pop() {
            let metadata = HashMap::from([("ARROW:extension:name".to_owned(), "arrow.uuid".to_owned())]);
            self.fields.push(field.with_metadata(metadata));
        }
    }

    pub(super) fn attributes<'a>(&mut self, values: impl Iterator<Item = &'a Attributes>) {
        let mut lists = Lists::default();
        for attributes in values {
            attributes.iter().for_each(|kv| lists.entry(kv));
            lists.end_row();
        }
        self.lists(lists);
    }

    pub(super) fn lists(&mut self, lists: Lists) {
        let (data_type, array) = lists.finish();
        self.push(data_type, array);
    }

    /// Appends the rows to `table`, within the connection's transaction.
    pub(super) fn append(self, connection: &Connection, table: &'static str) -> Result<(), StoreError> {
        let schema = Arc::new(Schema::new(self.fields));
        let failed = |detail: String| StoreError::Engine {
            doing: "append rows",
            detail: format!("{table}: {detail}"),
        };
        let batch = RecordBatch::try_new(schema, self.arrays).map_err(|error| failed(error.to_string()))?;
        let mut appender = connection.appender(table).map_err(engine_error("append rows"))?;
        appender
            .append_record_batch(batch)
            .map_err(|error| failed(error.to_string()))?;
        appender.flush().map_err(|error| failed(error.to_string()))
    }
}

/// Lists of keys and values, one a row; a row without any has no list.
pub(super) struct Lists {
    keys: StringBuilder,
    texts: StringBuilder,
    offsets: Vec<i32>,
    end: i32,
}

impl Default for Lists {
    fn default() -> Self {
        Self {
            keys: StringBuilder::new(),
            texts: StringBuilder::new(),
            offsets: vec![0],
            end: 0,
        }
    }
}

impl Lists {
    /// Adds an attribute to the present row.
    pub(super) fn entry(&mut self, kv: &KeyValue) {
        self.keys.append_value(&kv.key);
        value::append(&mut self.texts, &kv.value);
        self.end = self.end.saturating_add(1);
    }

    /// Ends the present row.
    pub(super) fn end_row(&mut self) {
        self.offsets.push(self.end);
    }

    fn finish(mut self) -> (DataType, ArrayRef) {
        let fields = Fields::from(vec![
            Field::new("k", DataType::Utf8, true),
            Field::new("v", DataType::Utf8, true),
        ]);
        let entries: Vec<ArrayRef> = vec![Arc::new(self.keys.finish()), Arc::new(self.texts.finish())];
        let item = Arc::new(Field::new("item", DataType::Struct(fields.clone()), true));
        let rows: Vec<bool> = self.offsets.array_windows().map(|[from, to]| to > from).collect();
        let list = ListArray::new(
            Arc::clone(&item),
            OffsetBuffer::new(self.offsets.into()),
            Arc::new(StructArray::new(fields, entries, None)),
            Some(NullBuffer::from(rows)),
        );
        (DataType::List(item), Arc::new(list))
    }
}

/// The attributes of spans: those of frequent keys by slot, the rest in lists.
pub(super) struct Slotted {
    columns: Vec<StringBuilder>,
    pub(super) rest: Lists,
}

impl Slotted {
    /// Sorts the attributes of `rows` into the table's first `width` slots.
    pub(super) fn new<'a>(slots: &Slots, width: usize, rows: impl Iterator<Item = &'a Attributes>) -> Self {
        let mut slotted = Self {
            columns: (0..width).map(|_| StringBuilder::new()).collect(),
            rest: Lists::default(),
        };
        let mut count = 0;
        for attributes in rows {
            for kv in attributes.iter() {
                let column = slots
                    .of(&kv.key)
                    .and_then(|slot| slotted.columns.get_mut(slot.index));
                match column {
                    // A key that the span has already stands in the list: the first is found.
                    Some(column) if column.len() <= count => {
                        column.append_nulls(count - column.len());
                        value::append(column, &kv.value);
                    }
                    _ => slotted.rest.entry(kv),
                }
            }
            slotted.rest.end_row();
            count += 1;
        }
        for column in &mut slotted.columns {
            column.append_nulls(count - column.len());
        }
        slotted
    }

    /// Adds the slots' columns.
    pub(super) fn append(self, columns: &mut Columns) {
        for mut column in self.columns {
            columns.push(DataType::Utf8, Arc::new(column.finish()));
        }
    }
}
