//! One file or folder a page. The large ones come when they are first opened ([`later`]).

pub(crate) mod compare;
pub(crate) mod console;
pub(crate) mod later;
pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod not_found;
pub(crate) mod session;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod trace;
pub(crate) mod traces;
pub(crate) mod usage;

later::later!(compare in trace: compare::ComparePage);
later::later!(console in console: console::ConsolePage);
later::later!(logs in usage: logs::LogsPage);
later::later!(metrics in usage: metrics::MetricsPage);
later::later!(session in trace: session::SessionPage);
later::later!(settings in usage: settings::SettingsPage);
later::later!(trace in trace: trace::TracePage);
later::later!(usage in usage: usage::UsagePage);
