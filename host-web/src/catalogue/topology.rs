//! What the console says of the topology: links, places, round trips.

phrases! {
    // The two pictures
    shown_as: "Shown as", "Gezeigt als";
    graph: "Graph", "Graph";
    map: "Map", "Karte";
    keys_map: "on the topology: between graph and map", "in der Topologie: zwischen Graph und Karte";
    mesh_text: "The mesh: {}, {} of which {} bad and {} asymmetric. The same as a table follows.",
        "Das Netz: {}, {}, davon {} schlecht und {} asymmetrisch. Dasselbe folgt als Tabelle.";
    map_text: "The mesh on a map of the world: {} with a place, {} without. The same as a table follows.",
        "Das Netz auf einer Weltkarte: {} mit Ort, {} ohne. Dasselbe folgt als Tabelle.";
    not_drawn_one: "{} node is not drawn", "{} Knoten ist nicht gezeichnet";
    not_drawn_many: "{} nodes are not drawn", "{} Knoten sind nicht gezeichnet";

    // Links
    links: "Links", "Verbindungen";
    good: "good", "gut";
    slow: "slow", "langsam";
    lossy: "lossy", "mit Verlust";
    unmeasured: "not measured", "nicht gemessen";
    asymmetric: "asymmetric", "asymmetrisch";
    asymmetric_why: "asymmetric: both ends see it differently", "asymmetrisch: die Enden sehen sie verschieden";
    quality: "Quality", "Güte";
    there: "There", "Hin";
    back: "Back", "Zurück";
    measured: "{}, loss {} %", "{}, Verlust {} %";
    reading: "{} → {}: {}, jitter {}, loss {} %, {}", "{} → {}: {}, Schwankung {}, Verlust {} %, {}";
    not_told: "{} → {}: not told", "{} → {}: nicht gemeldet";
    links_most: "Of more links the worst are here.", "Von mehr Verbindungen sind die schlechtesten hier.";

    // Places
    place: "Place", "Ort";
    estimated: "estimated", "geschätzt";
    place_estimated: "place is estimated", "Ort ist geschätzt";
    several_nodes: "several nodes", "mehrere Knoten";
    no_place_one: "{} node told no place", "{} Knoten nannte keinen Ort";
    no_place_many: "{} nodes told no place", "{} Knoten nannten keinen Ort";
    no_place_hint: "A relay tells its place if it is started with", "Ein Relay nennt seinen Ort, wenn es so gestartet wird:";
    zoom_in: "Zoom in", "Vergrößern";
    zoom_out: "Zoom out", "Verkleinern";
    whole_world: "Whole world", "Ganze Welt";
    cluster_hint: "click to zoom in", "klicken, um zu vergrößern";
    first_rows: "The first {} of {} are shown.", "Die ersten {} von {} sind zu sehen.";

    // Round trips
    much_faster: "much faster", "viel schneller";
    faster: "faster", "schneller";
    usual: "usual", "wie üblich";
    slower: "slower", "langsamer";
    much_slower: "much slower", "viel langsamer";
    far_slower: "far slower", "um vieles langsamer";
    reaches: "Reaches", "Erreicht";
    median: "Median", "Median";
    slowest: "Slowest", "Langsamste";
    reaches_in: "{} in {}, {}", "{} in {}, {}";
    matrix_label: "Round trips between {}: {} measured, {} of them slow, {} lossy. The same as a table follows.",
        "Laufzeiten zwischen {}: {} gemessen, davon {} langsam, {} mit Verlust. Dasselbe folgt als Tabelle.";
    matrix_text: "Rows ping, columns answer, zone by zone. A colour says how a round trip compares with what is usual for its row and column.",
        "Zeilen fragen, Spalten antworten, Zone für Zone. Die Farbe sagt, wie eine Laufzeit zum Üblichen ihrer Zeile und Spalte steht.";
    rows_as_table: "Round trips as a table", "Laufzeiten als Tabelle";
    least: "shortest {}", "kürzeste {}";
    detail: "jitter {}, loss {} %, {}", "Schwankung {}, Verlust {} %, {}";
}
