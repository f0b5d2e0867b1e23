//! Ports that do not serve webhooks: a POST to one is a mistake or an attack on what listens there.
//!
//! Sources: the "bad ports" of the Fetch standard (<https://fetch.spec.whatwg.org/#port-blocking>), which no browser calls;
//! and those where databases, brokers and the control planes of clusters listen, which are seldom meant for a stranger. Those
//! stand in IANA's registry (<https://www.iana.org/assignments/service-names-port-numbers>) or in their makers' documentation.

/// Every refused port with what listens there, by number.
const REFUSED: &[(u16, &str)] = &[
    (0, "reserved"),
    (1, "tcpmux"),
    (7, "echo"),
    (9, "discard"),
    (11, "systat"),
    (13, "daytime"),
    (15, "netstat"),
    (17, "qotd"),
    (19, "chargen"),
    (20, "FTP"),
    (21, "FTP"),
    (22, "SSH"),
    (23, "telnet"),
    (25, "SMTP"),
    (37, "time"),
    (42, "name"),
    (43, "whois"),
    (53, "DNS"),
    (69, "TFTP"),
    (77, "rje"),
    (79, "finger"),
    (87, "link"),
    (95, "supdup"),
    (101, "hostname"),
    (102, "iso-tsap"),
    (103, "gppitnp"),
    (104, "acr-nema"),
    (109, "POP2"),
    (110, "POP3"),
    (111, "sunrpc"),
    (113, "auth"),
    (115, "SFTP"),
    (117, "uucp-path"),
    (119, "NNTP"),
    (123, "NTP"),
    (135, "epmap"),
    (137, "NetBIOS"),
    (139, "NetBIOS"),
    (143, "IMAP"),
    (161, "SNMP"),
    (179, "BGP"),
    (389, "LDAP"),
    (427, "svrloc"),
    (445, "SMB"),
    (465, "SMTP"),
    (512, "exec"),
    (513, "login"),
    (514, "shell"),
    (515, "printer"),
    (526, "tempo"),
    (530, "courier"),
    (531, "chat"),
    (532, "netnews"),
    (540, "uucp"),
    (548, "AFP"),
    (554, "RTSP"),
    (556, "remotefs"),
    (563, "NNTP"),
    (587, "SMTP"),
    (601, "syslog"),
    (636, "LDAP"),
    (873, "rsync"),
    (989, "FTP"),
    (990, "FTP"),
    (993, "IMAP"),
    (995, "POP3"),
    (1433, "SQL Server"),
    (1434, "SQL Server"),
    (1521, "Oracle"),
    (1719, "H.323"),
    (1720, "H.323"),
    (1723, "PPTP"),
    (1883, "MQTT"),
    (2049, "NFS"),
    (2181, "ZooKeeper"),
    (2375, "Docker"),
    (2376, "Docker"),
    (2379, "etcd"),
    (2380, "etcd"),
    (3306, "MySQL"),
    (3389, "RDP"),
    (3659, "apple-sasl"),
    (4045, "npp"),
    (4190, "sieve"),
    (4369, "epmd"),
    (5060, "SIP"),
    (5061, "SIP"),
    (5432, "PostgreSQL"),
    (5433, "PostgreSQL"),
    (5671, "AMQP"),
    (5672, "AMQP"),
    (5900, "VNC"),
    (6000, "X11"),
    (6379, "Redis"),
    (6432, "PgBouncer"),
    (6443, "Kubernetes"),
    (6566, "SANE"),
    (6665, "IRC"),
    (6666, "IRC"),
    (6667, "IRC"),
    (6668, "IRC"),
    (6669, "IRC"),
    (6679, "osaut"),
    (6697, "IRC"),
    (8883, "MQTT"),
    (9042, "Cassandra"),
    (9092, "Kafka"),
    (9200, "Elasticsearch"),
    (9300, "Elasticsearch"),
    (10080, "amanda"),
    (10250, "kubelet"),
    (10255, "kubelet"),
    (11211, "memcached"),
    (27017, "MongoDB"),
    (27018, "MongoDB"),
    (27019, "MongoDB"),
];

/// What listens on a port that may not be posted to; `None` for all others.
pub(super) fn refusal(port: u16) -> Option<&'static str> {
    REFUSED.binary_search_by_key(&port, |(number, _)| *number).ok().map(|at| REFUSED[at].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order_and_leaves_out_what_speaks_http() {
        assert!(REFUSED.is_sorted_by(|(a, _), (b, _)| a < b), "or the search would miss some");
        for port in [80, 443, 3000, 5000, 8000, 8080, 8443, 9000, 49152] {
            assert_eq!(refusal(port), None, "{port}");
        }
        assert_eq!(refusal(22), Some("SSH"));
        assert_eq!(refusal(27019), Some("MongoDB"));
    }
}
