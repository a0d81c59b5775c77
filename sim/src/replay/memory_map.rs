//! The page tables of the process, and what a touch of a page costs a core.

use crate::core::Source;
use crate::machine::Port;
use crate::pages::PageTable;
use crate::{Error, Picoseconds};

/// Page tables by position of the tier.
pub struct MemoryMap {
    /// One table for each tier of the system.
    pub tables: Vec<PageTable>,
    /// Cost of the first touch of a page.
    pub fault: Picoseconds,
}

impl MemoryMap {
    /// Lines of a page.
    #[inline]
    pub fn page_lines(&self) -> u64 {
        self.tables[0].page_lines()
    }

    /// First physical line of the page that starts at a virtual line, paying for the translation and, the first
    /// time, for the fault.
    ///
    /// # Errors
    /// - [`Error::Capacity`] if no frame is left.
    pub fn translate(&mut self, tier: usize, first_line: u64, port: &mut Port<'_>) -> Result<u64, Error> {
        let table = &mut self.tables[tier];
        let page = first_line / table.page_lines();
        // Tiers have virtual pages of their own; the tag keeps them apart in the translation buffers.
        port.translate(page | (tier as u64) << 40);
        if let Some(line) = table.find(page) {
            return Ok(line);
        }
        let core = port.core();
        let machine = port.machine();
        let socket = machine.cores[core].socket;
        let Some(line) = table.map(page, socket) else {
            let mapped = table.mapped_bytes();
            let page_bytes = table.page_lines() * hetier_traces::LINE_BYTES;
            return Err(Error::Capacity {
                system: String::new(),
                what: "the page tables".to_owned(),
                needed_bytes: mapped + page_bytes,
                capacity_bytes: mapped,
            });
        };
        machine.memory.mode_mut().mapped(line, table.page_lines());
        machine.caches.count_fault();
        port.wait(self.fault, Source::FAULT);
        Ok(line)
    }
}
