//! What an intervention can show, declared with it: its class, and its role in a verdict.

crate::words! {
    /// What an intervention keeps, and so what it can show. Only `content` answers whether what
    /// latents say is used; only `presence` answers whether the block is needed.
    pub enum Class, "class" {
        /// Keeps everything: it must change nothing, or the instrument is at fault.
        Control = "control",
        /// Keeps markers, positions and number of steps; another content is put in.
        Content = "content",
        /// Keeps the vectors; their order is another.
        Order = "order",
        /// Keeps markers, positions and number; what is put in may lie off the distribution.
        Damage = "damage",
        /// Less than the block is left.
        Presence = "presence",
        /// Hands the model better information than it had: an upper bound, and its control.
        Help = "help",
    }
}

crate::words! {
    /// What follows from its result: the rule of the verdict that reads it.
    pub enum Role, "role" {
        /// A change is an instrument fault.
        Checks = "checks the instrument",
        /// Foreign vectors are fed: a loss shows use, no change is half of `not used`.
        ExchangesVectors = "exchanges vectors",
        /// Foreign keys and values: a loss shows use, no change is the other half.
        ExchangesKeysValues = "exchanges keys and values",
        /// Resampled vectors: a change refutes `not used`, nothing else follows.
        Resamples = "resamples",
        /// The block, or its steps, are left out: answers whether it is needed.
        LeavesOut = "leaves the block out",
        /// Shows whether anything reads the positions by attention.
        ShowsRoute = "shows the route",
        /// Explains; decides nothing.
        Explains = "explains",
    }
}

impl Role {
    /// Whether it is an exchange, the only kind that can show use.
    pub fn is_exchange(self) -> bool {
        matches!(self, Role::ExchangesVectors | Role::ExchangesKeysValues)
    }
}
