//! Requests, responses, deltas and errors shared by server and studio
