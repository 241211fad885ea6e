//! What the console says of values by their type, and of the room that data takes.

phrases! {
    // Types
    kind: "Type", "Art";
    register: "register", "Register";
    multi: "multi-value", "Mehrfachwert";
    counter: "counter", "Zähler";
    set: "set", "Menge";
    map: "map", "Zuordnung";
    flag: "flag", "Schalter";
    register_hint: "A text. The later write wins, the other is kept as a conflict.",
        "Ein Text. Die spätere Änderung gilt, die andere bleibt als Konflikt.";
    multi_hint: "A text. Two that are written at once stand side by side until somebody chooses.",
        "Ein Text. Zwei gleichzeitig geschriebene stehen nebeneinander, bis jemand wählt.";
    counter_hint: "A whole number that is added to. Two additions at once both count.",
        "Eine ganze Zahl, zu der hinzugezählt wird. Zwei gleichzeitige Additionen zählen beide.";
    set_hint: "Texts, one a line, at most 64 at once. Who adds one wins over who removes it at the same time.",
        "Texte, einer je Zeile, höchstens 64 auf einmal. Wer einen hinzufügt, setzt sich gegen den durch, der ihn gleichzeitig entfernt.";
    map_hint: "Fields, one a line as name=value, at most 64 at once. Each is a value of its own.",
        "Felder, eines je Zeile als Name=Wert, höchstens 64 auf einmal. Jedes ist ein eigener Wert.";
    flag_hint: "On or off. On wins over off at the same time.",
        "An oder aus. An setzt sich gegen ein gleichzeitiges Aus durch.";
    also: "Also held here: {}. Two nodes began this key with different types at once; deleting it removes all.",
        "Hier steht auch: {}. Zwei Knoten begannen diesen Schlüssel gleichzeitig mit verschiedenen Arten; Löschen entfernt alles.";

    // Changing them
    changed: "Changed {}: durable in this tab.", "{} geändert: dauerhaft in diesem Tab.";
    changed_relay: "Changed {}: durable in this tab and on a relay.",
        "{} geändert: dauerhaft in diesem Tab und auf einem Relay.";
    one_less: "One less in {}", "Eins weniger in {}";
    one_more: "One more in {}", "Eins mehr in {}";
    by: "Number to add to {}", "Zahl, die zu {} kommt";
    add: "Add", "Hinzufügen";
    not_a_number: "{} is no whole number of 64 bits.", "{} ist keine ganze Zahl mit 64 Bit.";
    not_a_field: "{} is no field: write name=value.", "{} ist kein Feld: schreibe Name=Wert.";
    saturated: "as far as it goes", "weiter geht es nicht";
    writers_one: "{} writer", "von {} Knoten";
    writers_many: "{} writers", "von {} Knoten";
    elements_one: "{} element", "{} Element";
    elements_many: "{} elements", "{} Elemente";
    fields_one: "{} field", "{} Feld";
    fields_many: "{} fields", "{} Felder";
    values_one: "{} value", "{} Wert";
    values_many: "{} values side by side", "{} Werte nebeneinander";
    new_element: "New element of {}", "Neues Element von {}";
    element: "element", "Element";
    remove: "Remove {}", "{} entfernen";
    field: "Field", "Feld";
    field_of: "Field of {}", "Feld von {}";
    value_of: "Value of the field", "Wert des Feldes";
    no_fields: "no fields", "keine Felder";
    rest: "The first {} of {} are shown.", "Die ersten {} von {} sind zu sehen.";
    more: "Show more", "Weitere zeigen";
    on: "on", "an";
    off: "off", "aus";
    keep: "Keep this one", "Diesen behalten";
    wins: "shown now", "gilt jetzt";
    lost: "lost", "unterlag";

    // What the data takes
    takes: "What the data takes", "Was die Daten brauchen";
    takes_text: "On this tab. Only its author can leave a batch behind; room of what was overwritten is given back by itself, or at once.",
        "In diesem Tab. Nur sein Urheber kann ein Bündel aufgeben; den Platz des Überschriebenen gibt der Knoten von selbst zurück, oder sofort.";
    give_back: "Give room back now", "Jetzt Platz zurückgeben";
    giving_back: "Room is being given back.", "Platz wird zurückgegeben.";
    given_back: "Nothing is left to give back.", "Es ist nichts mehr zurückzugeben.";
    key_count: "Keys", "Schlüssel";
    memory: "Memory", "Speicher";
    memory_of: "{} of {}", "{} von {}";
    journal: "Journal", "Journal";
    journal_of: "{}, {} of it needed", "{}, davon {} gebraucht";
    batches: "Batches", "Bündel";
    batches_of: "{} with {}", "{} mit {}";
    overwritten: "Overwritten, own", "Überschrieben, eigenes";
    rewritten: "Shards written anew", "Shards neu geschrieben";
    rewritten_of: "{}, {} wait", "{}, {} warten";
    whose: "Whose batches take the room", "Wessen Bündel den Platz brauchen";
    no_batches: "No batches are held here yet.", "Hier sind noch keine Bündel.";
    author: "Author", "Urheber";
    state_since: "{} for {}", "{} seit {}";
    room: "Room", "Platz";
    share: "Share", "Anteil";
    gone: "not in the list any more", "nicht mehr in der Liste";
    shards: "Shards", "Shards";
    shards_label: "Bytes by shard: {}, the largest holds {}. {} of this tab's own bytes are overwritten.",
        "Bytes je Shard: {}, der größte hält {}. {} der eigenen Bytes dieses Tabs sind überschrieben.";
    shards_one: "{} shard holds something", "{} Shard hält etwas";
    shards_many: "{} shards hold something", "{} Shards halten etwas";
    held: "held", "gehalten";
    overwritten_here: "overwritten by this tab", "von diesem Tab überschrieben";
}
