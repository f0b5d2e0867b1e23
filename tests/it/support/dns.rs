//! A name server whose names a test chooses, over UDP.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA};
use hickory_proto::rr::{RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

#[derive(Default)]
struct Zone {
    /// Of `None`, nothing is answered.
    names: HashMap<String, Option<Vec<IpAddr>>>,
    asked: Vec<String>,
}

/// A name server that ends with the test. Names that it was not told of do not exist.
pub struct Dns {
    /// Where it listens.
    pub address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    _task: JoinSet<()>,
}

impl Dns {
    /// On a port of its own.
    pub async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let (address, zone) = (socket.local_addr().expect("its address"), Arc::default());
        let mut task = JoinSet::new();
        task.spawn(serve(socket, Arc::clone(&zone)));
        Self { address, zone, _task: task }
    }

    /// From now on, these are the addresses of a name. What was answered before may be known for a while.
    pub fn set(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| address.parse().expect("an address")).collect();
        self.zone.lock().expect("the zone").names.insert(name.to_owned(), Some(addresses));
    }

    /// From now on, questions about a name get no answer.
    pub fn silence(&self, name: &str) {
        self.zone.lock().expect("the zone").names.insert(name.to_owned(), None);
    }

    /// How often a name was asked for, for its addresses of both families.
    pub fn asked(&self, name: &str) -> usize {
        self.zone.lock().expect("the zone").asked.iter().filter(|asked| *asked == name).count()
    }
}

async fn serve(socket: UdpSocket, zone: Arc<Mutex<Zone>>) {
    let mut buffer = [0; 4096];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.expect("a question");
        if let Some(answer) = answer(&buffer[..length], &zone) {
            socket.send_to(&answer, from).await.expect("an answer");
        }
    }
}

fn answer(question: &[u8], zone: &Mutex<Zone>) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).expect("a question");
    let query = question.queries.first().expect("one name").clone();
    let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
    let mut zone = zone.lock().expect("the zone");
    zone.asked.push(name.clone());
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    answer.add_query(query.clone());
    answer.metadata.recursion_available = true;
    match zone.names.get(&name) {
        None => answer.metadata.response_code = ResponseCode::NXDomain,
        Some(addresses) => {
            let data = addresses.as_ref()?.iter().filter_map(|address| match (address, query.query_type()) {
                (IpAddr::V4(v4), RecordType::A) => Some(RData::A(A(*v4))),
                (IpAddr::V6(v6), RecordType::AAAA) => Some(RData::AAAA(AAAA(*v6))),
                _ => None,
            });
            // Nothing may be kept of it: its TTL is 0.
            answer.add_answers(data.map(|data| Record::from_rdata(query.name().clone(), 0, data)));
        }
    }
    Some(answer.to_vec().expect("an answer"))
}
