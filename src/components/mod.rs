//! Widgets that fetch nothing.

pub(crate) mod badge;
pub(crate) mod copy;
pub(crate) mod fact;
pub(crate) mod figures;
pub(crate) mod help;
pub(crate) mod json_tree;
pub(crate) mod long_text;
pub(crate) mod menu;
pub(crate) mod onboarding;
pub(crate) mod rail;
pub(crate) mod remover;
pub(crate) mod save;
pub(crate) mod sparkline;
pub(crate) mod states;
pub(crate) mod time_text;
pub(crate) mod top_bar;
pub(crate) mod virtual_list;
