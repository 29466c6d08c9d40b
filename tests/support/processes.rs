//! CPU time and memory of a program and its descendants, from `/proc`.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Clock ticks per second (`USER_HZ`), the same on all supported architectures.
const TICKS: f64 = 100.0;

/// A process at the time it was read.
#[derive(Debug, Clone)]
pub struct Process {
    /// The process ID.
    pub id: u32,
    /// The name, cut by the kernel to 15 bytes.
    pub name: String,
    /// The CPU time used so far.
    pub worked: Duration,
}

impl Process {
    fn read(id: u32) -> Option<(u32, Self)> {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name is in brackets and may contain any character.
        let (begin, end) = (stat.find('(')?, stat.rfind(')')?);
        let fields: Vec<&str> = stat[end + 1..].split_whitespace().collect();
        let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
        let worked = Duration::from_secs_f64(ticks / TICKS);
        Some((fields.get(1)?.parse().ok()?, Self { id, name: stat[begin + 1..end].to_owned(), worked }))
    }

    /// The memory in use; `None` if the process has ended.
    pub fn memory(&self) -> Option<Memory> {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.id)).ok()?;
        let of = |name: &str| -> Option<u64> {
            let line = rollup.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        let own = of("Private_Dirty:")?;
        Some(Memory { rss: of("Rss:")?, pss: of("Pss:")?, own })
    }

    /// Whether this is a process of WebKit.
    pub fn is_web(&self) -> bool {
        self.name.starts_with("WebKit")
    }
}

/// Memory in kilobytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Resident memory, shared pages included.
    pub rss: u64,
    /// Resident memory, with each shared page divided by the number of its users.
    pub pss: u64,
    /// Memory that only this process has, and has written to. Unlike the others, this does not change when another user of the same
    /// libraries starts or ends.
    pub own: u64,
}

impl std::ops::AddAssign for Memory {
    fn add_assign(&mut self, other: Self) {
        self.rss += other.rss;
        self.pss += other.pss;
        self.own += other.own;
    }
}

/// A process and its descendants, in breadth-first order.
pub fn family(root: u32) -> Vec<Process> {
    let ids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut all: HashMap<u32, Process> = HashMap::new();
    for (parent, process) in ids.filter_map(Process::read) {
        children.entry(parent).or_default().push(process.id);
        all.insert(process.id, process);
    }
    let (mut order, mut seen) = (vec![root], HashSet::from([root]));
    let mut at = 0;
    while let Some(id) = order.get(at) {
        let of_it = children.get(id).cloned().unwrap_or_default();
        order.extend(of_it.into_iter().filter(|child| seen.insert(*child)));
        at += 1;
    }
    order.into_iter().filter_map(|id| all.remove(&id)).collect()
}

/// The share of one core that each process of a family uses during `over`; 1.0 is a whole core. The busiest is first.
pub fn shares_of_a_core(root: u32, over: Duration) -> Vec<(String, f64)> {
    let before: HashMap<u32, Duration> = family(root).into_iter().map(|process| (process.id, process.worked)).collect();
    let begun = std::time::Instant::now();
    std::thread::sleep(over);
    let after = family(root);
    let took = begun.elapsed().as_secs_f64();
    let share = |process: Process| {
        let earlier = before.get(&process.id).copied().unwrap_or_default();
        (process.name, process.worked.saturating_sub(earlier).as_secs_f64() / took)
    };
    let mut shares: Vec<(String, f64)> = after.into_iter().map(share).collect();
    shares.sort_by(|one, other| other.1.total_cmp(&one.1));
    shares
}
