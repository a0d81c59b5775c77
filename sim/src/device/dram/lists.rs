//! Requests of a controller, in order of arrival per bank.

use super::gates::MAX_BANKS;
use super::timing::Clock;

/// End of a list.
const NONE: u8 = u8::MAX;
/// Requests that a controller holds at most: both queues, and one more for each bank whose row was opened for it.
pub(super) const MAX_ENTRIES: usize = 192;

/// A request inside the controller.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) token: u64,
    pub(super) arrived: Clock,
    /// Order of arrival, packed with the bank for the scheduler.
    order: u64,
    pub(super) row: u32,
    column: u16,
    next: u8,
    /// Hash of bank and row.
    row_hash: u8,
}

/// Room for [`MAX_ENTRIES`] entries.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    entries: Box<[Entry; 256]>,
    free: u8,
}

impl Entry {
    /// Line of the row.
    #[inline]
    pub(super) const fn column(&self) -> u32 {
        self.column as u32
    }

    /// Hash of bank and row.
    #[inline]
    pub(super) const fn row_hash(&self) -> u8 {
        self.row_hash
    }
}

impl Pool {
    pub(super) fn new() -> Self {
        let empty = Entry { token: 0, arrived: 0, order: 0, row: 0, column: 0, next: NONE, row_hash: 0 };
        let mut entries = Box::new([empty; 256]);
        for (index, entry) in entries.iter_mut().take(MAX_ENTRIES - 1).enumerate() {
            entry.next = index as u8 + 1;
        }
        Self { entries, free: 0 }
    }

    #[inline]
    pub(super) fn get(&self, slot: u8) -> &Entry {
        &self.entries[usize::from(slot)]
    }

    #[inline]
    pub(super) fn take(&mut self, token: u64, arrived: Clock, order: u64, row: u32, column: u32) -> u8 {
        debug_assert_ne!(self.free, NONE, "queues are shorter than the pool");
        let slot = self.free;
        let entry = &mut self.entries[usize::from(slot)];
        self.free = entry.next;
        let row_hash = row_hash(row, order as u32);
        *entry = Entry { token, arrived, order, row, column: column as u16, next: NONE, row_hash };
        slot
    }

    #[inline]
    pub(super) fn give_back(&mut self, slot: u8) {
        self.entries[usize::from(slot)].next = self.free;
        self.free = slot;
    }
}

/// Multiplicative hash, as that of the filter of writes; the low bits of an order are the bank.
#[inline]
const fn row_hash(row: u32, order: u32) -> u8 {
    ((row ^ (order << 26)).wrapping_mul(0x9E37_79B9) >> 24) as u8
}

/// A first-in-first-out list of entries for each bank, and the set of banks that have any.
#[derive(Clone, Debug)]
pub(super) struct BankLists {
    /// Of the first entry of each bank in `occupied`: order of arrival, packed for the scheduler.
    pub(super) orders: [u64; MAX_BANKS],
    heads: [u8; MAX_BANKS],
    tails: [u8; MAX_BANKS],
    /// Bit per bank.
    pub(super) occupied: u64,
}

impl BankLists {
    pub(super) fn new() -> Self {
        Self { orders: [0; MAX_BANKS], heads: [NONE; MAX_BANKS], tails: [NONE; MAX_BANKS], occupied: 0 }
    }

    #[inline]
    pub(super) fn push(&mut self, pool: &mut Pool, bank: usize, slot: u8) {
        let bank = bank & (MAX_BANKS - 1);
        pool.entries[usize::from(slot)].next = NONE;
        if self.occupied >> bank & 1 == 0 {
            self.occupied |= 1 << bank;
            self.heads[bank] = slot;
            self.orders[bank] = pool.get(slot).order;
        } else {
            pool.entries[usize::from(self.tails[bank])].next = slot;
        }
        self.tails[bank] = slot;
    }

    /// Takes the first entry of a bank that has one.
    #[inline]
    pub(super) fn pop(&mut self, pool: &Pool, bank: usize) -> u8 {
        let bank = bank & (MAX_BANKS - 1);
        let slot = self.heads[bank];
        self.set_head(pool, bank, pool.get(slot).next);
        slot
    }

    #[inline]
    fn set_head(&mut self, pool: &Pool, bank: usize, head: u8) {
        self.heads[bank] = head;
        if head == NONE {
            self.occupied &= !(1 << bank);
        } else {
            self.orders[bank] = pool.get(head).order;
        }
    }

    /// Moves the entries of a bank that has any, those with the given row, to `hits`, both in order of arrival;
    /// returns how many they were.
    #[inline]
    pub(super) fn split_row(&mut self, hits: &mut Self, pool: &mut Pool, bank: usize, row: u32) -> u8 {
        let mut moved = 0;
        let mut slot = self.heads[bank];
        let (mut head, mut tail) = (NONE, NONE);
        while slot != NONE {
            let next = pool.get(slot).next;
            if pool.get(slot).row == row {
                hits.push(pool, bank, slot);
                moved += 1;
            } else {
                if tail == NONE {
                    head = slot;
                } else {
                    pool.entries[usize::from(tail)].next = slot;
                }
                tail = slot;
            }
            slot = next;
        }
        if tail != NONE {
            pool.entries[usize::from(tail)].next = NONE;
        }
        self.tails[bank] = tail;
        self.set_head(pool, bank, head);
        moved
    }

    /// Takes all entries that `other` has for a bank, in order of arrival; calls `taken` with each of them.
    pub(super) fn merge(
        &mut self,
        other: &mut Self,
        pool: &mut Pool,
        bank: usize,
        mut taken: impl FnMut(&Entry),
    ) {
        let mine = if self.occupied >> bank & 1 == 1 { self.heads[bank] } else { NONE };
        let mut rest = [mine, other.heads[bank]];
        self.occupied &= !(1 << bank);
        other.occupied &= !(1 << bank);
        while rest != [NONE; 2] {
            let is_other =
                rest[0] == NONE || rest[1] != NONE && pool.get(rest[1]).order < pool.get(rest[0]).order;
            let slot = rest[usize::from(is_other)];
            rest[usize::from(is_other)] = pool.get(slot).next;
            if is_other {
                taken(pool.get(slot));
            }
            self.push(pool, bank, slot);
        }
    }

    /// Whether a bank has an entry for this row and column. Cost: one step for each entry of the bank.
    pub(super) fn contains(&self, pool: &Pool, bank: usize, row: u32, column: u32) -> bool {
        if self.occupied >> bank & 1 == 0 {
            return false;
        }
        let mut slot = self.heads[bank];
        while slot != NONE {
            let entry = pool.get(slot);
            if entry.row == row && entry.column == column as u16 {
                return true;
            }
            slot = entry.next;
        }
        false
    }
}
