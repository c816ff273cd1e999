//! Trees, self time, sessions, conversation, cost. Pure.
