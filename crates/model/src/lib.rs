//! Ids, time, attribute values and the records of telemetry. No I/O.
