//! The memory side: where blocks lie, near memory, the tiers' servers and the links between sockets.

mod calendar;
mod link;
pub(super) mod near;
mod place;
pub(super) mod servers;
pub(super) mod waits;

use super::behaviour::{Behaviour, TierBehaviour};
use crate::Picoseconds;
use crate::core::Source;
use crate::device::Kind;
use crate::machine::TrafficCounters;
use crate::system::System;
use link::Links;
use near::{Found, Near};
pub use place::Place;
use servers::{Fetched, Server, Work};

/// Lines that one server has of a request.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// The first of the places.
    place: Place,
    lines: u64,
    /// What near memory made of them.
    found: Found,
}

impl Part {
    const fn add(&mut self, lines: u64, found: Found) {
        self.lines += lines;
        self.found.hits += found.hits;
        self.found.clean += found.clean;
        self.found.dirty += found.dirty;
    }
}

/// Lines that a core fetches from a server, together with others.
#[derive(Clone, Copy, Debug)]
struct Fetch {
    server: usize,
    /// Step of the load tables.
    step: usize,
    /// Lines that loads wait for.
    loads: u64,
    /// How long those would take if nobody else wanted anything.
    alone_fs: u64,
    took_ps: u64,
}

/// For whom memory works.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// The core.
    pub core: usize,
    /// Its socket.
    pub socket: usize,
    /// Lanes that fetch in its present sweep.
    pub lanes: u32,
    /// Class of the object.
    pub class: u8,
    /// HE primitive at work.
    pub primitive: u16,
    /// When.
    pub now_ps: u64,
    /// Whether home memory has to note a remote reader, or to look up who has what is stored past a remote core's caches.
    pub is_noted: bool,
}

/// A block on its way through near memory.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    /// First of the block's places.
    pub place: u32,
    /// Number of places.
    pub places: u16,
    /// Lines.
    pub lines: u64,
    /// Whether they are written.
    pub is_write: bool,
    /// For whom.
    pub client: Client,
}

/// Tiers that waiting is told apart by.
pub const MOST_TIERS: usize = Source::CACHE.0 as usize;

/// What a fetch from memory cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Femtoseconds that the lines hold the core, by its own limits.
    pub hold_fs: u64,
    /// When the queues have served them.
    pub done_ps: u64,
    /// What it is made of: femtoseconds that the lines of each tier take, by those limits or in the queues.
    pub waited_fs: [u64; MOST_TIERS],
}

/// All memory of the machine.
#[derive(Clone, Debug)]
pub struct Memory {
    servers: Vec<Server>,
    sockets: usize,
    links: Option<Links>,
    near: Option<Near>,
    /// Position of the near tier.
    near_tier: usize,
    write_miss_fetches: bool,
    places: Vec<Place>,
    /// What a core fetches at present.
    fetches: Vec<Fetch>,
    /// What it writes at present, by server, and whether there is anything.
    due: Vec<Work>,
    has_due: bool,
    /// Demand at the devices.
    pub traffic: TrafficCounters,
}

impl Memory {
    /// Idle memory; `near` in Memory Mode.
    pub fn new(
        system: &System,
        behaviour: &Behaviour,
        threads: usize,
        near: Option<Near>,
        fetches: bool,
    ) -> Self {
        let each = threads.div_ceil(system.sockets);
        let of_tier = |tier: &TierBehaviour| vec![Server::new(tier.clone(), each); system.sockets];
        let servers: Vec<Server> = behaviour.tiers.iter().flat_map(of_tier).collect();
        Self {
            due: vec![Work::default(); servers.len()],
            has_due: false,
            servers,
            sockets: system.sockets,
            links: Links::new(system),
            near,
            near_tier: system.tier("dram").unwrap_or(0),
            write_miss_fetches: fetches,
            places: Vec::new(),
            fetches: Vec::new(),
            traffic: TrafficCounters::new(system.tiers.len()),
        }
    }

    /// Number of sockets.
    pub const fn sockets(&self) -> usize {
        self.sockets
    }

    /// Femtoseconds that non-temporal lines hold a core, by the tier that they wait for: lines that near memory has one for,
    /// or of which there is none, and others. `place` is the first of their block.
    pub fn stores_fs(&self, place: u32, [hits, misses]: [u64; 2]) -> [(usize, u64); 2] {
        let place = self.places[place as usize];
        let near = self.near_tier * self.sockets + self.socket(place);
        let hit = if self.near.is_some() { near } else { place.server() };
        [(hit, hits), (place.server(), misses)]
            .map(|(server, lines)| (self.source(server), lines * self.servers[server].behaviour().store_fs))
    }

    /// Femtoseconds between the lines of one core's stream from memory, by the first place of its block.
    pub fn pace_fs(&self, place: u32) -> u64 {
        self.servers[self.places[place as usize].server()].pace_fs()
    }

    /// Tier of the first place of a block.
    pub fn tier_of(&self, place: u32) -> usize {
        self.source(self.places[place as usize].server())
    }

    /// Tier of a server, as waiting is told apart by.
    fn source(&self, server: usize) -> usize {
        Source::tier(server / self.sockets).0.into()
    }

    /// Near memory, in Memory Mode.
    pub const fn near(&self) -> Option<&Near> {
        self.near.as_ref()
    }

    /// Near memory, to warm it.
    pub const fn near_mut(&mut self) -> Option<&mut Near> {
        self.near.as_mut()
    }

    /// The servers, by tier and socket.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// Number of the server of a tier on a socket.
    pub const fn server(&self, tier: usize, socket: usize) -> u8 {
        (tier * self.sockets + socket) as u8
    }

    /// Home socket of a place.
    const fn socket(&self, place: Place) -> usize {
        place.server() % self.sockets
    }

    /// Keeps the places of a block, in those of one that is gone if there are as many; gives the number of the first.
    pub fn settle(&mut self, places: &[Place], spare: Option<u32>) -> u32 {
        let first = spare.unwrap_or(self.places.len() as u32);
        if spare.is_none() {
            self.places.extend_from_slice(places);
        }
        self.places[first as usize..][..places.len()].copy_from_slice(places);
        first
    }

    /// Whether home memory keeps who reads from afar.
    pub fn has_memory_directory(&self) -> bool {
        self.links.as_ref().is_some_and(|links| links.has_memory_directory)
    }

    /// Whether a block lies on another socket, in part at least.
    pub fn is_remote(&self, first: u32, count: u16, socket: usize) -> bool {
        self.places[first as usize..first as usize + usize::from(count)]
            .iter()
            .any(|place| self.socket(*place) != socket)
    }

    /// The queues are empty at a barrier, and so many cores go on.
    pub fn rest(&mut self, now_ps: u64, cores: usize) {
        let each = cores.div_ceil(self.sockets);
        self.servers.iter_mut().for_each(|server| server.rest(now_ps, each));
    }

    /// All cores go on after a stretch of time that is not simulated.
    pub fn skip(&mut self, by_ps: u64) {
        self.servers.iter_mut().for_each(|server| server.skip(by_ps));
    }

    /// The servers, to count what was not simulated.
    pub fn servers_mut(&mut self) -> &mut [Server] {
        &mut self.servers
    }

    /// Position of near memory's tier.
    pub const fn near_tier(&self) -> usize {
        self.near_tier
    }

    /// Passes blocks through near memory without taking time; counts the dirty lines that leave it. The places of all of
    /// them are looked at first, then their tags, so that the host waits for them together.
    pub fn skim(&mut self, passages: &[Passage]) {
        let places = passages.iter().map(|passage| self.places[passage.place as usize].server());
        std::hint::black_box(places.fold(0, |seen, server| seen ^ server));
        for passage in passages {
            self.look_at(passage.place, passage.places);
        }
        for Passage { place, places, lines, is_write, client } in passages {
            self.gather(*place, *places, *lines, *is_write, |memory, part| {
                if part.found.dirty > 0 {
                    let far_server = part.place.server();
                    memory.count(far_server, Kind::Write, part.found.dirty, *client);
                    memory.servers[far_server].lines[1] += part.found.dirty;
                }
            });
        }
    }

    /// Brings the places of a block and their tags in near memory into the host's caches.
    #[inline]
    fn look_at(&self, first: u32, count: u16) {
        let Some(near) = &self.near else { return };
        let places = &self.places[first as usize..first as usize + usize::from(count)];
        std::hint::black_box(places.iter().fold(0, |seen, place| seen ^ near.peek(place.home())));
    }

    /// Reads lines of a block at places `first .. first + count`, so many of them for loads.
    #[inline]
    pub fn read(&mut self, first: u32, count: u16, (lines, loads): (u64, u64), client: Client) -> Cost {
        let mut cost = Cost::default();
        self.look_at(first, count);
        self.gather(first, count, lines, false, |memory, part| {
            let is_remote = memory.socket(part.place) != client.socket;
            memory.read_part(part, is_remote, (lines, loads), client, &mut cost);
            if is_remote {
                cost.done_ps = cost.done_ps.max(memory.cross(part.place, part.lines, client));
            }
        });
        cost
    }

    /// Adds lines of a block to what is written at the next [`Memory::end_writes`]; gives how many of them near memory has a
    /// line for, all without one.
    #[inline]
    pub fn write(&mut self, first: u32, count: u16, lines: u64, client: Client) -> u64 {
        self.look_at(first, count);
        let mut hits = 0;
        self.gather(first, count, lines, true, |memory, part| {
            hits += part.found.hits;
            let home = memory.socket(part.place);
            if home != client.socket
                && let Some(links) = &mut memory.links
            {
                links.owe(home, part.lines);
            }
            memory.write_part(part, client);
        });
        self.has_due = true;
        hits
    }

    /// Writes all that was added, at one time; gives when the queues have taken it.
    #[inline]
    pub fn end_writes(&mut self, client: Client) -> u64 {
        if !std::mem::take(&mut self.has_due) {
            return 0;
        }
        let mut done_ps = self.links.as_mut().map_or(0, |links| links.pass_due(client.now_ps));
        for server in 0..self.servers.len() {
            let work = std::mem::take(&mut self.due[server]);
            if work != Work::default() {
                done_ps = done_ps.max(self.serve(server, work, false, client).done_ps);
            }
        }
        done_ps
    }

    /// Deals lines to places by weight, what division leaves to the last, and looks each up in near memory. Places
    /// of one server that follow one another are one part.
    #[inline]
    fn gather(
        &mut self,
        first: u32,
        count: u16,
        lines: u64,
        is_write: bool,
        mut to: impl FnMut(&mut Self, Part),
    ) {
        let range = first as usize..first as usize + usize::from(count);
        let total: u64 = self.places[range.clone()].iter().map(|place| place.weight()).sum();
        // What a unit of weight has, and what is left over, a unit's part of a line at a time.
        let (each, rest) = (lines / total, lines % total);
        let mut over = 0;
        let mut gathered: Option<Part> = None;
        for number in range {
            let place = self.places[number];
            let weight = place.weight();
            over += rest * weight;
            let mut lines = each * weight;
            if over >= total {
                lines += over / total;
                over %= total;
            }
            if lines == 0 {
                continue;
            }
            let all_hit = Found { hits: lines, ..Found::default() };
            let found =
                self.near.as_mut().map_or(all_hit, |near| near.exchange(place.home(), is_write, lines));
            match &mut gathered {
                Some(part) if part.place.server() == place.server() => part.add(lines, found),
                _ => {
                    if let Some(part) = gathered.replace(Part { place, lines, found }) {
                        to(self, part);
                    }
                }
            }
        }
        if let Some(part) = gathered {
            to(self, part);
        }
    }

    /// Rows of reads in the table of Memory Mode, or a read of the one tier there is.
    fn read_part(
        &mut self,
        part: Part,
        is_remote: bool,
        (all, loads): (u64, u64),
        client: Client,
        cost: &mut Cost,
    ) {
        let Part { place, lines, found } = part;
        let awaited = |lines: u64| if loads == all { lines } else { lines * loads / all };
        let far_server = place.server();
        // A remote reader is noted where the line is found first.
        let noted = if is_remote && client.is_noted { lines } else { 0 };
        if self.near.is_none() {
            let work = Work { reads: lines, writes: noted, awaited: awaited(lines) };
            return self.fetch(far_server, work, lines, is_remote, client, cost);
        }
        let misses = found.clean + found.dirty;
        let near_server = self.near_tier * self.sockets + self.socket(place);
        let work = Work { reads: lines, writes: misses + noted, awaited: awaited(found.hits) };
        self.fetch(near_server, work, found.hits, is_remote, client, cost);
        if misses > 0 {
            let work = Work { reads: misses, writes: found.dirty, awaited: awaited(misses) };
            self.fetch(far_server, work, misses, is_remote, client, cost);
        }
    }

    /// Rows of writes, or a write to the one tier there is.
    fn write_part(&mut self, part: Part, client: Client) {
        let Part { place, lines, found } = part;
        let far_server = place.server();
        if self.near.is_none() {
            // With near memory, its lookup reads the line anyway.
            let is_asked = client.is_noted && self.socket(place) != client.socket;
            let work = Work { reads: if is_asked { lines } else { 0 }, writes: lines, awaited: 0 };
            return self.owe(far_server, work, client);
        }
        let misses = if self.write_miss_fetches { found.clean + found.dirty } else { 0 };
        let near_server = self.near_tier * self.sockets + self.socket(place);
        self.owe(near_server, Work { reads: lines, writes: lines + misses, awaited: 0 }, client);
        if misses + found.dirty > 0 {
            self.owe(far_server, Work { reads: misses, writes: found.dirty, awaited: 0 }, client);
        }
    }

    /// Work that a server does at the next [`Memory::end_writes`].
    #[inline]
    fn owe(&mut self, server: usize, work: Work, client: Client) {
        self.attribute(server, work, client);
        self.due[server].reads += work.reads;
        self.due[server].writes += work.writes;
    }

    /// Counts work for the object and the primitive that it is for.
    #[inline]
    fn attribute(&mut self, server: usize, work: Work, client: Client) {
        let lines = [work.reads, work.writes];
        self.traffic.attribute(server / self.sockets, client.class, client.primitive, lines);
    }

    /// Work of a server, spread over the time in which it is served.
    #[inline]
    fn serve(&mut self, server: usize, work: Work, is_remote: bool, client: Client) -> Fetched {
        let Self { servers, traffic, sockets, .. } = self;
        let tier = server / *sockets;
        let core = (client.core, client.lanes);
        servers[server].serve(client.now_ps, core, work, is_remote, |lines, from_ps, length_ps| {
            traffic.spread(tier, (from_ps, from_ps + length_ps), lines);
        })
    }

    /// Reads of a server, some of them for loads: how long those wait is known when all of them have been asked for. The
    /// core is held by `served` of the lines; it has the others from elsewhere.
    #[inline]
    fn fetch(
        &mut self,
        server: usize,
        work: Work,
        served: u64,
        is_remote: bool,
        client: Client,
        cost: &mut Cost,
    ) {
        self.attribute(server, work, client);
        let Fetched { line_fs, done_ps } = self.serve(server, work, is_remote, client);
        let (step, alone_fs) = (self.servers[server].step, work.awaited * line_fs);
        let took_ps = done_ps - client.now_ps;
        self.fetches.push(Fetch { server, step, loads: work.awaited, alone_fs, took_ps });
        cost.hold_fs += served * line_fs;
        cost.done_ps = cost.done_ps.max(done_ps);
        if served > 0 {
            cost.waited_fs[self.source(server)] += (served * line_fs).max(took_ps * 1000);
        }
    }

    /// Counts how long loads waited that a core made together: those of one server are there at the same time.
    #[inline]
    pub fn end_fetches(&mut self) {
        let Self { fetches, servers, .. } = self;
        for Fetch { server, step, loads, .. } in fetches.iter().filter(|fetch| fetch.loads > 0) {
            let of_server = fetches.iter().filter(|other| other.server == *server);
            let (took_ps, alone_fs) = of_server.fold((0, 0), |(took_ps, alone_fs), other| {
                (other.took_ps.max(took_ps), alone_fs + other.alone_fs)
            });
            let server = &mut servers[*server];
            let took_fs = (took_ps * 1000).min(server.longest_fs(alone_fs));
            server.waits.count(*step, waits::class(took_fs, alone_fs), *loads);
        }
        fetches.clear();
    }

    #[inline]
    fn count(&mut self, server: usize, kind: Kind, lines: u64, client: Client) {
        let tier = server / self.sockets;
        let at = Picoseconds(client.now_ps);
        self.traffic.count_lines(tier, kind, client.class, client.primitive, at, lines);
    }

    fn cross(&mut self, place: Place, lines: u64, client: Client) -> u64 {
        let home = self.socket(place);
        self.links.as_mut().map_or(0, |links| links.fetch(home, client.now_ps, lines))
    }
}
