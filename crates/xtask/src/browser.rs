//! Chromium and its driver for the browser tests.

use crate::apt;
use crate::command::{Result, on_path};
use std::path::PathBuf;

/// Where the browser and its driver are.
pub(crate) struct Browser {
    pub(crate) chromium: PathBuf,
    pub(crate) driver: PathBuf,
}

const CHROMIUM: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

impl Browser {
    fn find() -> Option<Self> {
        let named = std::env::var_os("MESHSCOPE_CHROMIUM").map(PathBuf::from);
        let chromium = named.or_else(|| CHROMIUM.iter().find_map(|name| on_path(name)))?;
        let named = std::env::var_os("MESHSCOPE_CHROMEDRIVER").map(PathBuf::from);
        let driver = named.or_else(|| on_path("chromedriver"))?;
        Some(Self { chromium, driver })
    }

    /// Finds them, or installs Debian's packages.
    pub(crate) fn find_or_install() -> Result<Self> {
        if let Some(found) = Self::find() {
            return Ok(found);
        }
        if on_path("apt-get").is_none() {
            return Err("Chromium and chromedriver are needed for the browser tests: install both (on Debian: \
                        chromium and chromium-driver), or name them in MESHSCOPE_CHROMIUM and MESHSCOPE_CHROMEDRIVER"
                .to_owned());
        }
        apt::install(&["chromium", "chromium-driver", "fonts-dejavu-core"])?;
        Self::find().ok_or_else(|| "apt-get installed chromium, but it is not on PATH".to_owned())
    }
}
