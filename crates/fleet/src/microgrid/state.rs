//! The states of a microgrid, and which follows which.

/// Where a microgrid stands: the two steady states and the four transitions of IEEE 2030.7-2017, and
/// being without voltage, from which black start leads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum State {
    /// Steady, connected to the grid (SS1).
    GridConnected,
    /// On its way to an island as planned (T1): the exchange is brought to nothing, then the switch at
    /// the connection point opens.
    PlannedIslanding,
    /// On its way to an island that nobody planned (T2), such as when the grid was lost.
    UnplannedIslanding,
    /// Steady, an island (SS2).
    Islanded,
    /// On its way back (T3): brought in step with the grid, then the switch closes.
    Reconnecting,
    /// Without voltage.
    DeEnergised,
    /// On its way from there to an island, by its own means (T4).
    BlackStart,
}

/// How the members of a microgrid are coupled to the grid.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Coupling {
    /// They are part of the grid.
    Connected,
    /// The switch at the connection point may be open or closed: they can't be asked for anything, and
    /// what they do may reach the grid.
    Uncertain,
    /// The switch is open: whatever they do, none of it reaches the grid.
    Separated,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::GridConnected,
        Self::PlannedIslanding,
        Self::UnplannedIslanding,
        Self::Islanded,
        Self::Reconnecting,
        Self::DeEnergised,
        Self::BlackStart,
    ];

    /// How members are coupled to the grid in this state.
    #[must_use]
    pub const fn coupling(self) -> Coupling {
        match self {
            Self::GridConnected => Coupling::Connected,
            Self::PlannedIslanding | Self::UnplannedIslanding | Self::Reconnecting => {
                Coupling::Uncertain
            }
            Self::Islanded | Self::DeEnergised | Self::BlackStart => Coupling::Separated,
        }
    }

    /// Whether `next` may follow.
    ///
    /// Interpretation: an island that nobody saw begin is told as such, and any state may end without
    /// voltage. A planned island may be given up before the switch opens. Back to the grid leads
    /// through the reconnection alone, from the grid's own voltage too, for each of these closes the
    /// switch and needs leave.
    #[must_use]
    pub const fn leads_to(self, next: Self) -> bool {
        use State as S;
        matches!(
            (self, next),
            (
                S::GridConnected,
                S::PlannedIslanding | S::UnplannedIslanding | S::Islanded | S::DeEnergised
            ) | (
                S::PlannedIslanding,
                S::Islanded | S::UnplannedIslanding | S::GridConnected | S::DeEnergised
            ) | (
                S::UnplannedIslanding,
                S::Islanded | S::Reconnecting | S::DeEnergised
            ) | (S::Islanded, S::Reconnecting | S::DeEnergised)
                | (
                    S::Reconnecting,
                    S::GridConnected | S::Islanded | S::DeEnergised
                )
                | (S::DeEnergised, S::BlackStart | S::Reconnecting)
                | (S::BlackStart, S::Islanded | S::DeEnergised)
        )
    }

    /// Its name in the journal and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GridConnected => "grid_connected",
            Self::PlannedIslanding => "planned_islanding",
            Self::UnplannedIslanding => "unplanned_islanding",
            Self::Islanded => "islanded",
            Self::Reconnecting => "reconnecting",
            Self::DeEnergised => "de_energised",
            Self::BlackStart => "black_start",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}
