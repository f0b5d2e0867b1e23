//! Who runs the server. Postgres refuses root, so root hands it to the package's own user, or to `nobody`.

use super::{Error, io};
use std::path::Path;

/// The users to drop to, best first.
const CANDIDATES: [&str; 2] = ["postgres", "nobody"];

/// An unprivileged user of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: u32,
    /// Its primary group.
    pub gid: u32,
}

impl Owner {
    /// Gives `path` to this user.
    pub fn own(self, path: &Path) -> Result<(), Error> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid)).map_err(io("change the owner of", path))
    }
}

/// The user to drop to: none unless we are root.
pub fn unprivileged() -> Result<Option<Owner>, Error> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let path = Path::new("/etc/passwd");
    let users = std::fs::read_to_string(path).map_err(io("read", path))?;
    CANDIDATES.iter().find_map(|name| lookup(&users, name)).map(Some).ok_or(Error::NoUnprivilegedUser)
}

/// The entry of `name` in a passwd file (passwd(5)).
fn lookup(users: &str, name: &str) -> Option<Owner> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Owner { uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_passwd_and_skips_what_it_cannot() {
        let users = "root:x:0:0:root:/root:/bin/sh\npostgres-exporter:x:9:9::/:\nbroken:x:y\npostgres:x:101:104:,,,:/var:/bin/sh\n";
        assert_eq!(lookup(users, "postgres"), Some(Owner { uid: 101, gid: 104 }));
        assert_eq!(lookup(users, "broken"), None);
        assert_eq!(lookup(users, "nobody"), None);
    }
}
