//! What the console says, in English and in German.
//!
//! Each phrase is one line with both languages, so that one that is missing does not compile. `{}` stands
//! for what is filled in. Sentences that the core makes, such as notices and reasons, come as they are.

use crate::draw::chart::model::Words;

/// A language that the console speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// German.
    German,
}

impl Language {
    /// Both.
    pub const ALL: [Self; 2] = [Self::English, Self::German];

    /// The language's tag, as in `lang="de"`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
        }
    }

    /// What the language calls itself.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
        }
    }

    /// The language for a browser's tag, such as `de-AT`; English for all that is not known.
    #[must_use]
    pub fn of(tag: &str) -> Self {
        let primary = tag.split('-').next().unwrap_or_default();
        let known = Self::ALL.into_iter();
        let mut known = known.filter(|language| language.tag().eq_ignore_ascii_case(primary));
        known.next().unwrap_or(Self::English)
    }

    /// What the console says in it.
    #[must_use]
    pub const fn phrases(self) -> &'static Phrases {
        match self {
            Self::English => &ENGLISH,
            Self::German => &GERMAN,
        }
    }
}

/// A phrase with something in place of each `{}`, in order.
#[must_use]
pub fn fill(phrase: &str, with: &[&str]) -> String {
    let mut pieces = phrase.split("{}");
    let mut filled = String::from(pieces.next().unwrap_or_default());
    let mut with = with.iter();
    for piece in pieces {
        filled.push_str(with.next().copied().unwrap_or_default());
        filled.push_str(piece);
    }
    filled
}

/// A phrase with a number, of two: for one, and for any other number.
#[must_use]
pub fn count(number: u64, (one, many): (&str, &str)) -> String {
    fill(if number == 1 { one } else { many }, &[&number.to_string()])
}

macro_rules! phrases {
    ($($name:ident: $english:literal, $german:literal;)*) => {
        /// Everything that the console says in one language.
        #[derive(Debug)]
        pub struct Phrases {
            $(
                #[doc = concat!("`", $english, "`")]
                pub $name: &'static str,
            )*
        }

        /// English.
        pub static ENGLISH: Phrases = Phrases { $($name: $english,)* };
        /// German.
        pub static GERMAN: Phrases = Phrases { $($name: $german,)* };

        #[cfg(test)]
        pub(super) const PAIRS: &[(&str, &str, &str)] = &[$((stringify!($name), $english, $german),)*];
    };
}

pub mod alerts;
pub mod data;
pub mod metrics;
pub mod topology;

impl Phrases {
    /// What is said of alerts in the same language.
    #[must_use]
    pub fn alerts(&self) -> &'static alerts::Phrases {
        if core::ptr::eq(self, &raw const GERMAN) {
            &alerts::GERMAN
        } else {
            &alerts::ENGLISH
        }
    }

    /// What is said of typed values and of the room that data takes, in the same language.
    #[must_use]
    pub fn values(&self) -> &'static data::Phrases {
        if core::ptr::eq(self, &raw const GERMAN) {
            &data::GERMAN
        } else {
            &data::ENGLISH
        }
    }

    /// What is said of the topology in the same language.
    #[must_use]
    pub fn topology(&self) -> &'static topology::Phrases {
        if core::ptr::eq(self, &raw const GERMAN) {
            &topology::GERMAN
        } else {
            &topology::ENGLISH
        }
    }

    /// What is said of series and charts in the same language.
    #[must_use]
    pub fn charts(&self) -> &'static metrics::Phrases {
        if core::ptr::eq(self, &raw const GERMAN) {
            &metrics::GERMAN
        } else {
            &metrics::ENGLISH
        }
    }

    /// What is said in charts and their tables in the same language.
    #[must_use]
    pub fn in_charts(&self) -> &'static Words {
        if core::ptr::eq(self, &raw const GERMAN) {
            &Words::GERMAN
        } else {
            &Words::ENGLISH
        }
    }
}

phrases! {
    // The frame
    skip: "Skip to the content", "Zum Inhalt springen";
    views: "Views", "Ansichten";
    overview: "Overview", "Übersicht";
    nodes: "Nodes", "Knoten";
    topology: "Topology", "Topologie";
    metrics: "Metrics", "Messwerte";
    data: "Data", "Daten";
    recordings: "Recordings", "Aufnahmen";
    connections: "Connections", "Verbindungen";
    settings: "Settings", "Einstellungen";
    menu: "Menu", "Menü";
    search: "Search", "Suchen";
    here_tab: "this tab", "dieser Tab";
    here_recorded: "the recorded node", "der aufgenommene Knoten";
    network: "network", "Netz";
    foot: "Sporenet {} · {} is a node of the mesh · times in your local zone",
        "Sporenet {} · {} ist ein Knoten des Netzes · Zeiten in deiner Zeitzone";
    close: "Close", "Schließen";
    unknown: "unknown", "unbekannt";
    nowhere_title: "There is nothing here", "Hier ist nichts";
    nowhere_text: "No view has the address {}.", "Keine Ansicht hat die Adresse {}.";
    nowhere_back: "To the overview", "Zur Übersicht";

    // Ages and numbers
    just_now: "just now", "gerade eben";
    ago: "{} ago", "vor {}";
    nodes_one: "{} node", "{} Knoten";
    nodes_many: "{} nodes", "{} Knoten";
    links_one: "{} link", "{} Verbindung";
    links_many: "{} links", "{} Verbindungen";
    relays_one: "{} relay", "{} Relay";
    relays_many: "{} relays", "{} Relays";

    // States and roles
    alive: "alive", "lebt";
    suspect: "suspect", "verdächtig";
    dead: "dead", "tot";
    left: "left", "gegangen";
    parked: "parked", "geparkt";
    alive_hint: "answering", "antwortet";
    suspect_hint: "not answering, may refute", "antwortet nicht, kann widersprechen";
    dead_hint: "gone, still probed", "weg, wird noch gesucht";
    parked_hint: "away, will be back", "fort, kommt wieder";
    relay: "relay", "Relay";
    tab: "tab", "Tab";
    linked: "linked", "verbunden";
    info: "info", "Info";
    warning: "warning", "Warnung";
    error: "error", "Fehler";

    // Verdicts
    healthy_word: "healthy", "gesund";
    healthy_title: "The mesh is whole", "Das Netz ist heil";
    healthy_next: "Nothing to do.", "Nichts zu tun.";
    works_title: "The mesh works; something wants a look", "Das Netz arbeitet; etwas will angesehen werden";
    degraded_word: "degraded", "eingeschränkt";
    degraded_title: "The mesh works, with gaps", "Das Netz arbeitet, mit Lücken";
    degraded_next: "It repairs itself. The nodes that need a look come first in the list of nodes.",
        "Es heilt sich selbst. Die Knoten, die einen Blick brauchen, stehen in der Knotenliste oben.";
    isolated_word: "isolated", "allein";
    isolated_title: "This tab is on its own", "Dieser Tab ist auf sich gestellt";
    isolated_next: "Keep it open: it redials by itself, and what you write here is sent once a relay answers.",
        "Lass ihn offen: Er wählt von selbst neu, und was du hier schreibst, geht hinaus, sobald ein Relay antwortet.";
    fenced_word: "fenced", "ausgesperrt";
    fenced_title: "This identity runs elsewhere", "Diese Identität läuft anderswo";
    fenced_next: "It takes no writes here. Close the other copy and reload, or join anew with a fresh link.",
        "Sie nimmt hier nichts an. Schließe die andere Kopie und lade neu, oder tritt mit einem neuen Link bei.";
    joining_word: "joining", "tritt bei";
    joining_title: "Waiting to be let in", "Wartet auf Einlass";
    joining_next: "If this lasts longer than a few seconds, ask for a fresh link: sporenet invite.",
        "Dauert das länger als ein paar Sekunden, lass dir einen neuen Link geben: sporenet invite.";
    leaving_word: "leaving", "geht";
    leaving_title: "Leaving the mesh", "Verlässt das Netz";
    leaving_next: "The node says goodbye and hands over what is still on its way.",
        "Der Knoten verabschiedet sich und übergibt, was noch unterwegs ist.";
    no_verdict: "No verdict yet", "Noch kein Urteil";

    // Overview
    why: "Why", "Warum";
    next_step: "Next step", "Nächster Schritt";
    by_state: "Members by state", "Mitglieder nach Zustand";
    keys_here: "keys here", "Schlüssel hier";
    batches: "batches", "Pakete";
    up_for: "up for", "läuft seit";
    incarnation: "incarnation", "Inkarnation";
    clock: "clock", "Uhr";
    clock_agrees: "agrees", "stimmt";
    clock_ahead: "{} ahead", "{} vor";
    clock_behind: "{} behind", "{} nach";
    worst_nodes: "Nodes that need a look", "Knoten, die einen Blick brauchen";
    all_nodes: "All nodes", "Alle Knoten";
    last_hour: "The last hour", "Die letzte Stunde";
    newest_first: "newest first", "Neuestes zuerst";
    timeline_entries: "Timeline entries", "Einträge der Zeitleiste";
    quiet_hour: "Nothing has happened in the last hour. Joins, suspicions, deaths and refusals appear here with their causes.",
        "In der letzten Stunde ist nichts geschehen. Beitritte, Verdachte, Tode und Ablehnungen erscheinen hier mit ihren Ursachen.";
    older_entries: "{} older entries are left out", "{} ältere Einträge fehlen hier";
    throughput: "Throughput and latency", "Durchsatz und Laufzeit";

    // What is wrong beside the mesh
    not_started: "The node does not start", "Der Knoten startet nicht";
    not_started_text: "It is tried again. Check that the relay still runs and can be reached, then reload this page. The browser said: {}",
        "Es wird erneut versucht. Prüfe, ob das Relay noch läuft und erreichbar ist, und lade diese Seite neu. Der Browser meldet: {}";
    crashed: "The node stopped and is starting again", "Der Knoten ist stehen geblieben und startet neu";
    crashed_text: "Nothing that was acknowledged is lost: it recovers from this browser's storage. The browser said: {}",
        "Nichts Bestätigtes ist verloren: Er stellt sich aus dem Speicher dieses Browsers wieder her. Der Browser meldet: {}";
    storage_gone: "This tab's storage is gone", "Der Speicher dieses Tabs ist fort";
    storage_gone_text: "What was not yet copied to a relay may be lost ({}). Reload the page to start anew.",
        "Was noch nicht auf einem Relay ist, kann verloren sein ({}). Lade die Seite neu, um neu anzufangen.";
    is_fenced: "This identity is fenced", "Diese Identität ist ausgesperrt";
    volatile: "This tab keeps nothing after it is closed", "Dieser Tab behält nichts, wenn er geschlossen wird";
    volatile_text: "Its identity and data live in memory only: {}.",
        "Identität und Daten sind nur im Arbeitsspeicher: {}.";

    // The pill
    pill_not_joined: "not joined", "nicht beigetreten";
    pill_left: "left", "gegangen";
    pill_starting: "starting", "startet";
    pill_linked: "linked to {}", "verbunden mit {}";
    pill_device_offline: "this device is offline; redials when it is back",
        "dieses Gerät ist offline; wählt neu, wenn es zurück ist";
    pill_offline: "offline, next try in {}", "offline, nächster Versuch in {}";
    pill_connecting: "connecting", "verbindet";

    // Nodes
    filter_nodes: "Filter by name, identity, zone or role", "Nach Name, Identität, Zone oder Rolle filtern";
    any_state: "any state", "jeder Zustand";
    sort_by: "Sort by", "Sortieren nach";
    sort_worst: "worst first", "Schlimmste zuerst";
    sort_name: "name", "Name";
    sort_rtt: "round trip", "Laufzeit";
    sort_heard: "last heard", "zuletzt gehört";
    sort_health: "health", "Gesundheit";
    shown_of: "{} of {}", "{} von {}";
    no_match: "No node matches.", "Kein Knoten passt.";
    node: "Node", "Knoten";
    state: "State", "Zustand";
    role: "Role", "Rolle";
    zone: "Zone", "Zone";
    health: "Health", "Gesundheit";
    round_trip: "Round trip", "Laufzeit";
    last_heard: "Last heard", "Zuletzt gehört";
    in_state: "In this state", "In diesem Zustand";
    more_one: "and {} more node in good order", "und {} weiterer Knoten, der in Ordnung ist";
    more_many: "and {} more nodes in good order", "und {} weitere Knoten, die in Ordnung sind";

    // A node's page
    back_to_nodes: "All nodes", "Alle Knoten";
    no_such_node: "No node with this identity is known here.", "Hier ist kein Knoten mit dieser Identität bekannt.";
    score: "Health score", "Gesundheitswert";
    score_text: "What it consists of: each check with its value, its share, how sure it is, and who measured it.",
        "Woraus er besteht: jede Prüfung mit ihrem Wert, ihrem Anteil, wie sicher sie ist und wer gemessen hat.";
    no_score: "Nobody has measured enough to score this node.",
        "Niemand hat genug gemessen, um diesen Knoten zu bewerten.";
    check: "Check", "Prüfung";
    value: "Value", "Wert";
    share: "Share", "Anteil";
    sureness: "Confidence", "Sicherheit";
    age: "Age", "Alter";
    observers: "Observers", "Beobachter";
    own_word: "its own word", "eigene Angabe";
    takes_part: "counts as healthy", "gilt als gesund";
    takes_no_part: "does not count as healthy", "gilt nicht als gesund";
    identity: "Identity", "Identität";
    addresses: "Addresses", "Adressen";
    homes: "Home relays", "Heim-Relays";
    reason: "Reason", "Grund";
    none: "none", "keine";
    vitals: "Vitals", "Lebenszeichen";
    no_vitals: "This node has told nothing of itself yet.", "Dieser Knoten hat noch nichts von sich erzählt.";
    cpu: "CPU", "CPU";
    memory: "Memory", "Speicher";
    disk: "Disk", "Platte";
    network_in: "In", "Empfangen";
    network_out: "Out", "Gesendet";
    loop_lag: "Loop lag", "Verzug";
    journal: "Journal", "Journal";
    told: "Told", "Gemeldet";
    paths: "Paths", "Wege";
    paths_text: "As the pings of each end show them.", "Wie die Pings beider Enden sie zeigen.";
    no_paths: "No paths from or to this node are known here.",
        "Von und zu diesem Knoten sind hier keine Wege bekannt.";
    from_it: "from it", "von ihm";
    to_it: "to it", "zu ihm";
    direction: "Direction", "Richtung";
    peer: "Peer", "Gegenüber";
    jitter: "Jitter", "Schwankung";
    loss: "Loss", "Verlust";
    shortest: "Shortest", "Kürzeste";
    events: "Events", "Ereignisse";
    no_events: "Nothing that this tab remembers is about this node.",
        "Nichts, woran sich dieser Tab erinnert, betrifft diesen Knoten.";

    // Topology
    mesh: "The mesh", "Das Netz";
    own_link: "link of {}", "Verbindung: {}";
    inferred: "inferred", "erschlossen";
    held_by: "held by {}", "gehalten: {}";
    as_table: "{} as a table", "{} als Tabelle";
    from: "From", "Von";
    to: "To", "Nach";
    known_how: "Known", "Bekannt";
    round_trips: "Round trips", "Laufzeiten";
    no_matrix: "No round trips are known yet.", "Es sind noch keine Laufzeiten bekannt.";
    not_told: "not linked, or not told", "nicht verbunden oder nicht gemeldet";
    left_out_one: "{} node is left out", "{} Knoten fehlt hier";
    left_out_many: "{} nodes are left out", "{} Knoten fehlen hier";

    // Metrics
    all_vitals: "Vitals of all nodes", "Lebenszeichen aller Knoten";

    // Data
    data_empty: "Open a namespace to read and write its keys. What this tab opens, it keeps: also offline, also after a reload.",
        "Öffne einen Namensraum, um seine Schlüssel zu lesen und zu schreiben. Was dieser Tab öffnet, behält er: auch offline, auch nach dem Neuladen.";
    namespaces_here: "Namespaces held here", "Namensräume hier";
    namespace: "Namespace", "Namensraum";
    open: "Open", "Öffnen";
    opening: "Opening…", "Wird geöffnet…";
    no_keys: "No keys here yet. Put the first one above; it appears on every node that holds this namespace.",
        "Hier sind noch keine Schlüssel. Schreibe oben den ersten; er erscheint auf jedem Knoten, der diesen Namensraum hält.";
    keys: "Keys", "Schlüssel";
    key: "Key", "Schlüssel";
    wait_for_relay: "wait for a relay", "auf ein Relay warten";
    put: "Put", "Schreiben";
    edit: "Edit", "Ändern";
    delete: "Delete", "Löschen";
    edit_key: "Edit {}", "{} ändern";
    delete_key: "Delete {}", "{} löschen";
    deleted: "deleted", "gelöscht";
    prefix: "Keys that start with", "Schlüssel, die beginnen mit";
    first_keys: "The first {} keys are shown; a prefix narrows them down.",
        "Die ersten {} Schlüssel stehen hier; ein Anfang grenzt sie ein.";
    show_more: "Show {} more", "{} weitere zeigen";
    stored: "Stored {}: durable in this tab.", "{} geschrieben: dauerhaft in diesem Tab.";
    stored_relay: "Stored {}: durable in this tab and on a relay.",
        "{} geschrieben: dauerhaft in diesem Tab und auf einem Relay.";
    deleted_done: "Deleted {}: durable in this tab.", "{} gelöscht: dauerhaft in diesem Tab.";
    deleted_relay: "Deleted {}: durable in this tab and on a relay.",
        "{} gelöscht: dauerhaft in diesem Tab und auf einem Relay.";
    not_text: "{} is not text and can't be edited here; write it with sporenet put.",
        "{} ist kein Text und lässt sich hier nicht ändern; schreibe es mit sporenet put.";
    lost_one: "{} concurrent write lost", "{} gleichzeitige Änderung unterlag";
    lost_many: "{} concurrent writes lost", "{} gleichzeitige Änderungen unterlagen";
    lost_by: " by {}, ", " von {}, ";

    // Recordings
    recording: "Recording", "Aufnahme";
    recording_runs: "{} so far: all that this node takes in, with the values that it holds, without its keys.",
        "{} bisher: alles, was dieser Knoten aufnimmt, mit den Werten, die er hält, ohne seine Schlüssel.";
    recording_ended: "The recording ended: {}.", "Die Aufnahme endete: {}.";
    recording_kept: "The recording ended: {}. {} can be saved.", "Die Aufnahme endete: {}. {} können gesichert werden.";
    recording_hint: "To have an incident again, step by step.", "Um einen Vorfall noch einmal zu haben, Schritt für Schritt.";
    save_recording: "Save recording", "Aufnahme sichern";
    start_recording: "Start recording", "Aufnahme starten";
    stop: "Stop", "Beenden";
    replay: "Replay", "Wiedergabe";
    replay_hint: "The node of a recording runs again on a page of its own, input by input. Nothing is sent anywhere.",
        "Der Knoten einer Aufnahme läuft auf einer eigenen Seite noch einmal, Eingabe für Eingabe. Nichts wird irgendwohin gesendet.";
    replay_file: "Replay a file", "Datei wiedergeben";

    // Connections
    no_relay: "No relay is known yet.", "Es ist noch kein Relay bekannt.";
    connections_hint: "Lost connections are redialled for ever, each time after a longer wait. Writes made meanwhile are kept and sent.",
        "Verlorene Verbindungen werden immer wieder gewählt, jedes Mal nach längerem Warten. Was inzwischen geschrieben wird, bleibt erhalten und wird gesendet.";
    a_relay_at: "a relay at", "ein Relay unter";
    failed_one: "{} attempt failed in a row", "{} Versuch schlug fehl";
    failed_many: "{} attempts failed in a row", "{} Versuche schlugen nacheinander fehl";

    // Settings
    appearance: "Language and appearance", "Sprache und Aussehen";
    language: "Language", "Sprache";
    by_browser: "as the browser asks", "wie der Browser es wünscht";
    theme: "Theme", "Farben";
    theme_neon: "dark neon", "dunkles Neon";
    theme_contrast: "high contrast", "hoher Kontrast";
    motion: "Motion", "Bewegung";
    motion_full: "full, as the browser asks", "voll, wie der Browser es wünscht";
    motion_little: "little, as the browser asks", "wenig, wie der Browser es wünscht";
    kept_here: "Kept in this browser only.", "Wird nur in diesem Browser gemerkt.";
    in_force: "In force here", "Hier in Kraft";
    name: "Name", "Name";
    version: "Version", "Version";
    mode: "Mode", "Betriebsart";
    storage: "Storage", "Speicher";
    storage_slot: "this browser, slot {}", "dieser Browser, Platz {}";
    storage_memory: "in memory only: {}", "nur im Arbeitsspeicher: {}";
    recording_ring: "Recording ring", "Aufnahmering";
    members_shown: "Members shown at most", "Höchstens gezeigte Mitglieder";
    entries_kept: "Timeline entries kept at most", "Höchstens behaltene Einträge";
    crashes: "Restarts of the node since the page was loaded", "Neustarts des Knotens seit dem Laden der Seite";
    show_tour: "Show the tour again", "Rundgang wieder zeigen";
    show_keys: "Show the keys", "Tasten zeigen";

    // Joining and calm states
    join_title: "Join the mesh", "Dem Netz beitreten";
    join_lead: "This tab becomes a node of its own: it stores what it opens, works offline, and heals with the rest. All it needs is a join link.",
        "Dieser Tab wird ein eigener Knoten: Er speichert, was er öffnet, arbeitet offline und heilt mit den anderen. Er braucht nur einen Beitrittslink.";
    no_link: "No link yet?", "Noch keinen Link?";
    no_link_ask: "On a machine that runs a relay, ask it for one:", "Lass dir auf einem Rechner, auf dem ein Relay läuft, einen geben:";
    no_link_open: "Open the printed link in a browser, or paste it above.",
        "Öffne den gezeigten Link in einem Browser oder füge ihn oben ein.";
    link_secret: "A link is a secret with a lifetime, one hour unless asked otherwise. It is read from the address once and erased there; it never goes to a server.",
        "Ein Link ist ein Geheimnis mit einer Lebenszeit, eine Stunde, wenn nichts anderes gewünscht ist. Er wird einmal aus der Adresse gelesen und dort gelöscht; er geht nie an einen Server.";
    other_link: "Use another link", "Einen anderen Link nehmen";
    refused_title: "This link does not let this tab in", "Dieser Link lässt den Tab nicht ein";
    join_link: "Join link", "Beitrittslink";
    join: "Join", "Beitreten";
    link_example: "spore:…  or  http://…/#spore=…", "spore:…  oder  http://…/#spore=…";
    waking: "Waking the node", "Der Knoten wacht auf";
    waking_text: "Reading this tab's identity and journal from the browser's storage.",
        "Identität und Journal dieses Tabs werden aus dem Speicher des Browsers gelesen.";
    departed: "This tab has left the mesh", "Dieser Tab hat das Netz verlassen";
    departed_text: "It said goodbye, and nothing is running any more. Reload the page to come back.",
        "Er hat sich verabschiedet, und nichts läuft mehr. Lade die Seite neu, um zurückzukommen.";
    reload: "Reload", "Neu laden";

    // The palette and the keys
    palette: "Jump to a view, a node or a namespace", "Zu einer Ansicht, einem Knoten oder Namensraum springen";
    palette_none: "Nothing has this name.", "Nichts heißt so.";
    palette_more: "{} more; type to narrow them down", "{} weitere; tippe, um sie einzugrenzen";
    palette_view: "view", "Ansicht";
    keys_title: "Keys", "Tasten";
    keys_palette: "jump anywhere", "überallhin springen";
    keys_filter: "to the filter of the view", "zum Filter der Ansicht";
    keys_this: "this list", "diese Liste";
    keys_close: "close what is open", "schließen, was offen ist";
    keys_then: "then", "dann";
    keys_not_typing: "Keys are not taken while you type in a field.", "Beim Tippen in ein Feld gelten die Tasten nicht.";

    // The tour
    tour: "A short tour", "Ein kurzer Rundgang";
    tour_step: "{} of {}", "{} von {}";
    tour_1: "The overview says in one sentence how the mesh is, why, and what to do next. This tab is a node of the mesh itself: it shows what it sees.",
        "Die Übersicht sagt in einem Satz, wie es dem Netz geht, warum, und was zu tun ist. Dieser Tab ist selbst ein Knoten des Netzes: Er zeigt, was er sieht.";
    tour_2: "Nodes lists everyone, worst first. A node's page shows what its health consists of. Topology draws who is linked to whom.",
        "Unter Knoten stehen alle, die schlimmsten zuerst. Die Seite eines Knotens zeigt, woraus seine Gesundheit besteht. Topologie zeichnet, wer mit wem verbunden ist.";
    tour_3: "Data is for reading and writing. What you write here is kept offline and sent when a relay answers.",
        "Unter Daten wird gelesen und geschrieben. Was du hier schreibst, bleibt offline erhalten und geht hinaus, wenn ein Relay antwortet.";
    tour_4: "Ctrl-K jumps anywhere, and ? lists all keys. Language and colours are in the settings.",
        "Strg-K springt überallhin, und ? zeigt alle Tasten. Sprache und Farben stehen in den Einstellungen.";
    tour_next: "Next", "Weiter";
    tour_done: "Done", "Fertig";

    // The replay page
    replay_title: "Replay a recording", "Eine Aufnahme wiedergeben";
    replay_lead: "The node of the recording runs again in this tab, input by input, and shows what it knew at every moment. Nothing is sent anywhere.",
        "Der Knoten der Aufnahme läuft in diesem Tab noch einmal, Eingabe für Eingabe, und zeigt, was er in jedem Augenblick wusste. Nichts wird irgendwohin gesendet.";
    replay_choose: "Recording, a file that ends in .sporerec", "Aufnahme, eine Datei, die auf .sporerec endet";
    replay_opening: "Opening {}…", "{} wird geöffnet…";
    replay_unreadable: "the browser could not read {}", "der Browser konnte {} nicht lesen";
    replay_none: "No recording yet?", "Noch keine Aufnahme?";
    replay_in_tab: "In the console of a tab: Start recording, and later Save recording.",
        "In der Konsole eines Tabs: Aufnahme starten und später Aufnahme sichern.";
    replay_on_relay: "On a relay:", "Auf einem Relay:";
    replay_values: "A recording holds the values that the node held. It holds none of its keys.",
        "Eine Aufnahme enthält die Werte, die der Knoten hielt. Sie enthält keinen seiner Schlüssel.";
    replay_of: "Replay of {}", "Wiedergabe von {}";
    replay_by: "{} · recorded by sporenet {}", "{} · aufgenommen von sporenet {}";
    replay_first: "To the start", "Zum Anfang";
    replay_entry_back: "Before the newest timeline entry", "Vor den neuesten Eintrag der Zeitleiste";
    replay_back: "One input back", "Eine Eingabe zurück";
    replay_on: "One input on", "Eine Eingabe weiter";
    replay_entry_on: "To the next timeline entry", "Zum nächsten Eintrag der Zeitleiste";
    replay_last: "To the end", "Zum Ende";
    replay_moment: "Moment", "Zeitpunkt";
    replay_moment_of: "{} of {}", "{} von {}";
    replay_state: "state", "Zustand";
    replay_other: "another file", "andere Datei";
    replay_input: "input {}: {}", "Eingabe {}: {}";
    replay_differs: "Not the same run: {}", "Nicht derselbe Lauf: {}";
    replay_checking: "Checking… {} so far", "Prüfung… bisher {}";
    replay_equal: "{} up to here", "{} bis hier";
    hashes_one: "{} state hash equal", "{} Zustandshash gleich";
    hashes_many: "{} state hashes equal", "{} Zustandshashes gleich";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_say_something_and_fill_in_as_much() {
        for (name, english, german) in PAIRS
            .iter()
            .chain(alerts::PAIRS)
            .chain(data::PAIRS)
            .chain(topology::PAIRS)
            .chain(metrics::PAIRS)
        {
            assert!(
                !english.trim().is_empty() && !german.trim().is_empty(),
                "{name}"
            );
            let slots = |phrase: &str| phrase.matches("{}").count();
            assert_eq!(slots(english), slots(german), "{name}");
        }
    }

    #[test]
    fn a_browser_gets_its_language_or_english() {
        let got = ["de", "de-AT", "DE", "en-GB", "fr", ""].map(|tag| Language::of(tag).tag());
        assert_eq!(got, ["de", "de", "de", "en", "en", "en"]);
    }

    #[test]
    fn a_phrase_is_filled_in_order_and_never_twice() {
        assert_eq!(fill("{} of {}", &["{}", "b"]), "{} of b");
        assert_eq!(fill("{} of {}", &["a"]), "a of ");
        assert_eq!(count(1, ("{} node", "{} nodes")), "1 node");
        assert_eq!(count(0, ("{} node", "{} nodes")), "0 nodes");
    }
}
