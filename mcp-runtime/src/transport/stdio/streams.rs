//! The process's standard streams, taken over for the protocol.

use std::io::{self, Read, Write};

/// Takes standard input and output for the protocol alone.
///
/// On Unix their places are given away: what a tool, a library or a child process prints goes to standard error, and what
/// it reads is empty. Neither can put a byte into the conversation, nor take one out of it. Elsewhere the streams are shared with
/// whoever prints.
#[cfg(unix)]
pub(crate) fn take_standard() -> io::Result<(impl Read + Send + 'static, impl Write + Send + 'static)> {
    use std::fs::File;
    use std::os::fd::AsFd as _;

    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok((input, output))
}

/// See the other one.
#[cfg(not(unix))]
pub(crate) fn take_standard() -> io::Result<(impl Read + Send + 'static, impl Write + Send + 'static)> {
    Ok((io::stdin(), io::stdout()))
}
