//! Starting the server's programs, and recognising a server that somebody else started.

use super::owner::Owner;
use super::{Error, io};
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// Where a program finds the cluster when it was given the folder itself instead of its path.
const BY_DESCRIPTOR: &str = "/proc/self/fd/9";

/// A command that works on the cluster in `dir`, run by `owner` if there is one; `-D` is set already.
///
/// The cluster's owner need not be able to reach its path: a data folder is private to root (mode 0700) and so is, often
/// enough, the folder that it lies in. On Linux the opened folder is handed over as a descriptor and named through /proc,
/// which needs rights on the folder itself only. A shell moves it from standard input out of the way.
pub fn command(program: &Path, dir: &Path, owner: Option<Owner>) -> Result<Command, Error> {
    let mut command = match owner {
        Some(owner) if cfg!(target_os = "linux") => {
            let folder = File::open(dir).map_err(io("open", dir))?;
            let mut command = Command::new("/bin/sh");
            command.args(["-c", "exec 9<&0 </dev/null; exec \"$@\"", "sh"]).arg(program);
            command.args(["-D", BY_DESCRIPTOR]).stdin(folder).uid(owner.uid).gid(owner.gid);
            command
        }
        owner => {
            let mut command = Command::new(program);
            command.arg("-D").arg(dir).stdin(Stdio::null());
            if let Some(owner) = owner {
                command.uid(owner.uid).gid(owner.gid);
            }
            command
        }
    };
    // The programs resolve their own path from the current folder, which must therefore be readable for them.
    command.current_dir("/");
    // A group of its own: Ctrl-C is for plumbline, which stops the server last.
    command.process_group(0);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command.env("LC_ALL", "C");
    Ok(command)
}

/// Is there a process `pid` whose command line holds `mark`? A process id alone proves nothing: after a crash it may belong
/// to anybody, in a container it usually does.
pub fn is_running(pid: i32, mark: &str) -> bool {
    let Some(id) = rustix::process::Pid::from_raw(pid) else {
        return false;
    };
    match rustix::process::test_kill_process(id) {
        Ok(()) | Err(rustix::io::Errno::PERM) => {}
        Err(_) => return false,
    }
    // When the command line cannot be read, believing that it runs is the answer that loses no data.
    command_line(pid).is_none_or(|line| line.contains(mark))
}

/// The command line of a process; empty for one that ended and was not yet collected.
#[cfg(target_os = "linux")]
fn command_line(pid: i32) -> Option<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The command line of a process; empty for one that ended and was not yet collected.
#[cfg(not(target_os = "linux"))]
fn command_line(pid: i32) -> Option<String> {
    let output = std::process::Command::new("ps").args(["-ww", "-o", "args=", "-p", &pid.to_string()]).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Sends a signal; a process that is gone already is fine.
pub fn signal(pid: i32, signal: rustix::process::Signal) {
    if let Some(id) = rustix::process::Pid::from_raw(pid)
        && let Err(error) = rustix::process::kill_process(id, signal)
    {
        tracing::debug!(pid, %error, "signal not delivered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_process_id_is_not_taken_for_the_server() {
        let me = i32::try_from(std::process::id()).unwrap();
        assert!(!is_running(me, "plumbline-no-such-cluster"));
        assert!(!is_running(i32::MAX, ""));
        assert!(!is_running(0, ""));
    }

    #[test]
    fn a_process_is_known_by_its_command_line() {
        let me = i32::try_from(std::process::id()).unwrap();
        let name = std::env::args().next().unwrap();
        assert!(is_running(me, &name));
    }

    #[test]
    fn a_process_that_ended_does_not_run() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        child.wait().unwrap();
        assert!(!is_running(pid, "true"));
    }
}
