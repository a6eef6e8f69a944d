//! All that somebody wrote, for the test to read: a log, or what a server says on a pipe.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::{Result, Write};
use std::sync::{Arc, Mutex};

/// Its clones write into the same text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("UTF-8")
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
