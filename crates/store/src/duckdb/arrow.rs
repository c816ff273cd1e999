//! Columns of a result as the engine gives them: read by row number, absent where they are null or
//! of another type than asked for.

use duckdb::arrow::array::{Array as _, AsArray as _, ListArray, PrimitiveArray, StringArray};
use duckdb::arrow::datatypes::{ArrowPrimitiveType, Int64Type, UInt8Type, UInt32Type, UInt64Type};
use duckdb::arrow::record_batch::RecordBatch;

/// A column of a batch.
pub(super) struct Array<'a, T>(Option<&'a T>);

fn numbers<T: ArrowPrimitiveType>(batch: &RecordBatch, at: usize) -> Array<'_, PrimitiveArray<T>> {
    let column = batch.columns().get(at);
    Array(column.and_then(|column| column.as_primitive_opt::<T>()))
}

impl<'a> Array<'a, PrimitiveArray<Int64Type>> {
    pub(super) fn i64(batch: &'a RecordBatch, at: usize) -> Self {
        numbers(batch, at)
    }
}

impl<'a> Array<'a, PrimitiveArray<UInt64Type>> {
    pub(super) fn u64(batch: &'a RecordBatch, at: usize) -> Self {
        numbers(batch, at)
    }
}

impl<'a> Array<'a, PrimitiveArray<UInt32Type>> {
    pub(super) fn u32(batch: &'a RecordBatch, at: usize) -> Self {
        numbers(batch, at)
    }
}

impl<'a> Array<'a, PrimitiveArray<UInt8Type>> {
    pub(super) fn u8(batch: &'a RecordBatch, at: usize) -> Self {
        numbers(batch, at)
    }
}

impl<T: ArrowPrimitiveType> Array<'_, PrimitiveArray<T>> {
    pub(super) fn get(&self, row: usize) -> Option<T::Native> {
        self.0
            .filter(|array| row < array.len() && array.is_valid(row))
            .map(|array| array.value(row))
    }
}

impl<'a> Array<'a, StringArray> {
    pub(super) fn text(batch: &'a RecordBatch, at: usize) -> Self {
        Array(batch.columns().get(at).and_then(|column| column.as_string_opt()))
    }

    pub(super) fn get(&self, row: usize) -> Option<&'a str> {
        self.0
            .filter(|array| row < array.len() && array.is_valid(row))
            .map(|array| array.value(row))
    }
}

impl<'a> Array<'a, ListArray> {
    pub(super) fn lists(batch: &'a RecordBatch, at: usize) -> Self {
        Array(batch.columns().get(at).and_then(|column| column.as_list_opt()))
    }

    /// The texts of a row's list, the empty text where one is null; nothing when there is no list.
    pub(super) fn get(&self, row: usize) -> impl Iterator<Item = &'a str> + use<'a> {
        let list = self.0.filter(|array| row < array.len() && array.is_valid(row));
        let offsets = list.map(ListArray::value_offsets);
        let at = |row: usize| {
            offsets
                .and_then(|offsets| offsets.get(row))
                .map_or(0, |at| *at as usize)
        };
        let texts: Array<'a, StringArray> = Array(list.and_then(|array| array.values().as_string_opt()));
        (at(row)..at(row + 1)).map(move |at| texts.get(at).unwrap_or_default())
    }
}
