//! The server's configuration, written anew at each start, so that it follows the machine and this version of plumbline.
//!
//! Whatever an operator puts into `postgresql.auto.conf` (`ALTER SYSTEM`) is read after it and wins.

use std::fmt::Write as _;

const MIB: u64 = 1 << 20;

/// Whether committed transactions must survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// They must: everything but throw-away tests.
    Durable,
    /// They need not: no fsync, a small cache.
    Throwaway,
}

/// What the configuration depends on.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The port on 127.0.0.1.
    pub port: u16,
    /// The machine's memory in bytes.
    pub memory: u64,
    /// Whether commits are flushed.
    pub durability: Durability,
}

impl Settings {
    /// The text of `plumbline.conf`.
    pub fn render(&self) -> String {
        // Plumbline shares the machine with its own server, so an eighth of the memory rather than the usual quarter.
        let buffers = match self.durability {
            Durability::Durable => (self.memory / 8 / MIB).clamp(64, 2048),
            Durability::Throwaway => 64,
        };
        let cache = (self.memory / 2 / MIB).max(buffers);
        let mut text =
            String::from("# Written by plumbline at each start; change settings with ALTER SYSTEM instead.\n");
        let mut set = |name: &str, value: &dyn std::fmt::Display| {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{name} = {value}");
        };
        set("listen_addresses", &"'127.0.0.1'");
        set("port", &self.port);
        set("unix_socket_directories", &"''");
        set("password_encryption", &"'scram-sha-256'");
        set("max_connections", &200);
        set("shared_buffers", &format!("{buffers}MB"));
        set("effective_cache_size", &format!("{cache}MB"));
        set("work_mem", &"16MB");
        set("maintenance_work_mem", &"64MB");
        set("max_wal_size", &"2GB");
        set("wal_compression", &"on");
        set("checkpoint_timeout", &"15min");
        set("random_page_cost", &1.1);
        // Many short statements: compiling them costs more than it gives.
        set("jit", &"off");
        // The queue's tables turn over all the time and are kept small by a vacuum that comes often.
        set("autovacuum_naptime", &"15s");
        set("autovacuum_vacuum_scale_factor", &0.05);
        set("idle_in_transaction_session_timeout", &"10min");
        set("log_min_messages", &"warning");
        set("log_line_prefix", &"'%m [%p] '");
        set("timezone", &"'UTC'");
        if self.durability == Durability::Throwaway {
            set("fsync", &"off");
            set("synchronous_commit", &"off");
            set("full_page_writes", &"off");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(memory: u64, durability: Durability) -> String {
        Settings { port: 5999, memory, durability }.render()
    }

    #[test]
    fn a_durable_server_flushes_its_commits() {
        let text = render(8 << 30, Durability::Durable);
        assert!(!text.contains("fsync") && !text.contains("synchronous_commit"), "{text}");
        assert!(text.contains("shared_buffers = 1024MB\n") && text.contains("port = 5999\n"), "{text}");
    }

    #[test]
    fn memory_is_bounded_on_both_sides() {
        assert!(render(1 << 20, Durability::Durable).contains("shared_buffers = 64MB\n"));
        assert!(render(1 << 40, Durability::Durable).contains("shared_buffers = 2048MB\n"));
        assert!(render(1 << 40, Durability::Throwaway).contains("shared_buffers = 64MB\n"));
    }
}
