"""The vocabulary of the simulation: words and patterns, nothing that computes.

A pattern names lists in braces, "{adjective} {noun}"; a name in `POOLS` is a list of alternatives.
What occurs twice in a list is drawn twice as often.
"""


def _words(text: str) -> tuple[str, ...]:
    """Alternatives separated by bars or, without any bar, by spaces."""
    return tuple(part.strip() for part in text.split("|")) if "|" in text else tuple(text.split())


POOLS: dict[str, tuple[str, ...]] = {
    "adjective": _words(
        "Velvet Paper Amber Hollow Silver Northern Quiet Crooked Golden Distant Salt Burning "
        "Little Wandering Electric Pale Secret Broken Hidden Coral Marble Copper Restless "
        "Gentle Wild Frozen Crimson Endless Borrowed Faded Honest Second Sleeping Open Lucky "
        "Painted Scarlet Foreign Early Sudden Tender Indigo Violet Winter Summer Autumn "
        "Emerald Ivory Cobalt Slow Narrow Patient Lonesome Bright Shallow Ancient Brittle "
        "Forgotten Perfect Common Careful Invisible Magnetic Plastic Lunar Solar Coastal "
        "Rural Modern Wooden Silent Gilded Cloudy Humble Minor Double Seventh Tidal Dusty"
    ),
    "noun": _words(
        "Harbor Lantern Orchard Meridian River Mirror Engine Garden Letter Window Compass "
        "Feather Signal Shadow Ladder Cathedral Island Candle Thunder Bridge Anchor "
        "Satellite Comet Valley Carousel Lighthouse Ribbon Marigold Postcard Ocean Meadow "
        "Horizon Sparrow Magnolia Avalanche Telephone Suitcase Umbrella Staircase Hallway "
        "Balcony Kingdom Desert Canyon Glacier Monsoon Promise Secret Accident Memory "
        "Question Answer Stranger Neighbor Sister Captain Gardener Sailor Dreamer Traveler "
        "Pilot Ghost Heart Hand Bone Skin Fever Hunger Mercy Gravity Silence Static Neon "
        "Chrome Velvet Paper Gasoline Sugar Honey Ember Cinder Driftwood Tide Current "
        "Weather Season Holiday Afternoon Parade Circus Festival Alibi Souvenir Photograph "
        "Blueprint Alphabet Almanac Elevator Escalator Motorway Terminal Platform Frontier "
        "Border Avenue Corner Rooftop Basement Attic Kitchen Doorway Chandelier Wallpaper "
        "Telescope Kaleidoscope Parachute"
    ),
    "plural": _words(
        "Harbors Lanterns Orchards Meridians Rivers Mirrors Engines Gardens Letters Windows "
        "Feathers Signals Shadows Ladders Islands Candles Bridges Anchors Satellites Comets "
        "Valleys Ribbons Postcards Oceans Meadows Horizons Sparrows Herons Foxes Otters "
        "Magpies Antlers Wolves Moths Strangers Neighbors Sisters Captains Gardeners Sailors "
        "Dreamers Travelers Pilots Ghosts Architects Cartographers Astronomers Librarians "
        "Postmen Lifeguards Acrobats Tailors Bakers Accidents Memories Questions Answers "
        "Promises Secrets Holidays Afternoons Parades Alibis Souvenirs Photographs "
        "Telescopes Parachutes Umbrellas Suitcases Elevators Rooftops Balconies Avenues "
        "Corners Kites Marbles Pianos Tambourines Violets Marigolds Lilacs Thistles Pines "
        "Cedars Pebbles Embers Cinders Tides Currents Echoes Colors Numbers Circles Machines"
    ),
    "verb": _words(
        "Hold Follow Carry Leave Remember Forget Catch Find Lose Keep Break Wake Call Teach "
        "Show Chase Haunt Save Trust Answer Forgive Watch Move Pull Shake Lift Turn Bring "
        "Miss Change"
    ),
    "gerund": _words(
        "Chasing Holding Leaving Losing Finding Breaking Waking Calling Falling Running "
        "Burning Drifting Sailing Dreaming Waiting Counting Drowning Floating Learning "
        "Stealing Painting Building Crossing Forgetting Remembering Missing Climbing Dancing "
        "Driving Singing Sleeping Watching Wasting Borrowing Folding Turning"
    ),
    "time": _words(
        "Midnight | November | Sunday Morning | October | Late July | Monday | "
        "Two in the Morning | Daybreak | Twilight | December | Saturday Night | April | "
        "Early Spring | Tuesday | Half Past Nine | Tomorrow | Yesterday | The Weekend | "
        "August | Sundown | Noon | Friday Evening | February | Last Summer | Tonight | "
        "Forever | The Longest Day | Winter | After Hours | Five O'Clock"
    ),
    "city": _words(
        "Lisbon | Tucson | Marseille | Oslo | Kyoto | Savannah | Trieste | Valparaíso | "
        "Tangier | Bergen | Galway | Naples | Duluth | Porto | Malmö | Accra | Havana | "
        "Leith | Cádiz | Antwerp | El Paso | Baltimore | Cardiff | Nantes | Lagos | "
        "Santa Fe | Odesa | Utrecht | Hobart | Winnipeg | Zanzibar | Medellín | Ghent | "
        "Aarhus | Montreal | Beirut | Dakar | Wichita | Tulsa | Biloxi"
    ),
    "scenery": _words(
        "the Valley | the Suburbs | the Kitchen | the Parking Lot | the Back Seat | "
        "the Rain | My Hometown | Another Country | Your Street | the City | the Dark | "
        "the Basement | the Snow | the Morning"
    ),
    "number": _words(
        "Two Three Four Five Six Seven Nine Ten Eleven Twelve Sixteen Nineteen Forty Fifty "
        "Sixty Hundred Thousand"
    ),
    "figure": tuple(str(n) for n in range(2, 100)),
    "roman": _words("I II III IV V VI VII"),
    "first": _words(
        "Marisol Ines Tobias Delia Otis Wren Harlan Odette Cassian Maren Silas Ottilie Bram "
        "Juno Lorcan Petra Ezra Noor Imogen Callum Saskia Ruben Thea Anselm Willa Dashiell "
        "Freya Magnus Opal Rhys Tamsin Ivo Lucinda Emeric Hattie Leopold Nadia Orson Priya "
        "Quillan Rosalind Stellan Una Viggo Winona Xanthe Yara Adela Benedikt Clio Desmond "
        "Elodie Fabian Greta Hollis Isolde Kerensa Linus Mabel Niamh Olwen Percival Romilly "
        "Sunniva Teodor Ursula Vesna Wilder Agnes Bastian Corinne Dorothea Eamon Fenella "
        "Gideon Henrike Ilka Jorun Kasimir Leocadia Mireille Nils Oriel Philippa Renaud "
        "Sidonie Thaddeus Ulrika Valentin Wilhelmina Yolande Zelda Renée Zoë Søren Ása André "
        "Maëlle"
    ),
    "last": _words(
        "Quint Ashdown Bellwether Dunmore Eastlake Fairweather Greer Hollister Inskip "
        "Jessamy Kestrel Larkspur Merriweather Northcote Oakhurst Penhallow Quarrington "
        "Ravenscroft Sandoval Thistlewood Underhill Vandermeer Whitlock Yarrow Zeller "
        "Abernethy Brightwater Coldwell Dovetree Everhart Fenwick Galloway-Reed Halloran "
        "Ironwood Jankowiak Kilbride Lindqvist Marchetti Nightingale-Ross Ostrander "
        "Pemberton Quesnel Rosenquist Silverstein-Hall Tremaine Ulvestad Valcourt "
        "Winterbourne Yellen Zabriskie Appleyard Blackwood Carrow Delacroix-Moss Ellery "
        "Fontaine-West Grimaldi-Poe Hartigan Islay Juniper Kowalczyk Lavender Montague-Bly "
        "Nakagawa Oyelaran Pryce-Hughes Radcliffe Sokolova Tarrant Umber Verhoeven Wexford "
        "Yamazaki Zimmer-Holt Arkwright Birdsong Cloverfield Driscoll Elmsworth Farrow-Lane "
        "Goldcrest Hazelhurst Ingleby Jarnagin Kingsolver Lockridge Moonan Netherton Okonjo "
        "Pascoe Quimby Rowntree Stormont Tidewater Vesterby Wakefield-Ames Nordström Lefèvre "
        "Groß Peña-Wolff Håkansson"
    ),
    "latin_first": _words(
        "Marisol Joaquín Ximena Rafael Lucía Mateo Paloma Emiliano Renata Thiago Catalina "
        "Álvaro Inés Bruno Valentina Facundo Soledad Leandro Jimena Octavio Graciela Damián "
        "Rocío Ulises Noemí Benício Iracema Caetana Otávio Luzia Chelo Nando Beto Tito "
        "Yadira Lisandro Amparo Fermín Candela Horacio"
    ),
    "latin_last": _words(
        "Quintero Salvatierra Montoya-Ríos Barrientos Echeverría Palacios Arrieta "
        "Figueroa-Luz Zambrano Castañeda Villalobos-Mar Iturbide Peñalver Mondragón "
        "Bustamante Lozano-Vega Carvalhal Teixeira Vasconcelos Amorim Belmonte Alcántara "
        "Urrutia Santoro-Gil Cervantes-Rey Olmedo Valle-Sosa Requena Bermúdez Sarmiento "
        "Avellaneda Casillas Monteverde Riquelme Abascal Tavares-Nunes"
    ),
    "latin_group": _words(
        "Los Faroles | La Sonora | Grupo | Conjunto | Orquesta | Banda | Los Hermanos | "
        "Trío | Cuarteto | Las Hijas de | Los Hijos de | El Combo de"
    ),
    "latin_noun": _words(
        "Noche Luz Corazón Camino Luna Calle Mar Fuego Sueño Cielo Lluvia Arena Canción Flor "
        "Tierra Ventana Carta Sombra Madrugada Guitarra Verano Viento Espejo Puerta Fiesta "
        "Sangre Piel Voz Ola Vereda Saudade Beijo Estrada Janela Maré Samba"
    ),
    "latin_of": _words(
        "de Verano | de Papel | sin Nombre | del Sur | al Amanecer | de Abril | sin Fin | "
        "de Cristal | de la Esquina | del Puerto | de Medianoche | y Miel | de Sal | "
        "contigo | sin Ti | de Mi Barrio | de Barro | en Llamas | de Enero | de Nadie | "
        "del Norte | de Plata | en la Arena | a Solas"
    ),
    "african_first": _words(
        "Adesewa Kwabena Temitope Amara Kofi Zainab Sekou Ngozi Babajide Efua Oumou Thabo "
        "Lindiwe Chidera Abena Ikenna Folasade Modibo Sizwe Aminata Tunde Yaa Olumide "
        "Nomvula Kelechi Mariama Jabari Wanjiru"
    ),
    "african_last": _words(
        "Okonjo Adeyinka-Cole Mensimah Boatengu Diarrasso Nkemelu Olaniyanu Asanteba Kamarou "
        "Dlaminzo Obiakor Sowandé Traoréba Mwangaza Ekundayo-Bright Quarshiem Balogunde "
        "Nwachukor Tshabalani Keïtawa"
    ),
    "korean_one": _words("하늘 은하 달빛 새벽 푸른 여름 무지개 바람 별빛 눈꽃 파도 구름"),
    "korean_two": _words("정원 열차 우체국 그림 극장 도시 지도 편지 등대"),
    "japanese_one": _words("夜の 青い 月曜の 星屑の 紙の 雨音の 遠い 銀色の 真夏の"),
    "japanese_two": _words("灯台 汽車 ラジオ 海 図書館 観覧車 手紙"),
    "cyrillic_one": _words("Северный Бумажный Синий Тёплый Ночной Тихий Последний Стеклянный"),
    "cyrillic_two": _words("Трамвай Маяк Чайник Вокзал Фонарь Остров Поезд Дождь"),
    "greek_one": _words("Χάρτινο Μικρό Παλιό Ασημένιο Χαμένο"),
    "greek_two": _words("Φεγγάρι Καράβι Νησί Τραγούδι Φανάρι"),
    "onset": _words(
        "Vel Kai Nom Sor Lum Mir Thal Bry Osk Zan Eld Fen Jun Ryl Tav Wex Ash Cor Dav Quo "
        "Ner Pol Hal Iv Ume Yst Gal Xan Lor Ben"
    ),
    "middle": _words("a o i e u ari ono ela umi ira avo est ind oru"),
    "coda": _words("ra dun ru lis vex ne thos mar kin sa via dor len tis zo wyn nox bel rin mo"),
    "unit": _words(
        "Ensemble Quartet Trio Orchestra Collective Project Club Society Union Choir "
        "Sessions Company Institute Workshop"
    ),
    "key": _words(
        "C Major | G Minor | D Major | E Minor | A Minor | F Major | B-flat Major | "
        "E-flat Major | C Minor | D Minor | A Major | F-sharp Minor"
    ),
    "form": _words(
        "Nocturne Prelude Étude Sonata Partita Suite Waltz Mazurka Fugue Impromptu "
        "Intermezzo Ballade Sarabande Cantata Rhapsody"
    ),
    "tempo": _words(
        "Andante | Allegro | Adagio | Largo | Presto | Lento | Moderato | Vivace | "
        "Allegretto | Andante Cantabile"
    ),
    # What a family sings about.
    "rock_word": _words(
        "Amplifier Highway Matinee Cigarette Denim Television Suburbia Jukebox Motel Leather "
        "Polaroid Skyline Turnpike Cassette Arcade Overpass"
    ),
    "metal_word": _words(
        "Iron Crown | Blood Eclipse | Throne | Serpent | Pyre | Obelisk | Abyss | Plague | "
        "Ruin | Gallows | Leviathan | Ashes | Wrath | Monolith | Crypt | Black Sun"
    ),
    "punk_word": _words(
        "Detention | Skateboard | Curfew | Garage | Riot | Loser | Graduation | Bus Stop | "
        "Sidewalk | Rent | Homework | Basement Show | Cheap Beer | Summer Job | Hometown | "
        "Shoelaces"
    ),
    "pop_word": _words(
        "Glitter Crush Lipstick Perfume Confetti Diamond Butterfly Heartbeat Starlight "
        "Cherry Bubblegum Dancefloor Daydream Sunshine Crystal Lollipop"
    ),
    "electronic_word": _words(
        "Circuit Pulse Voltage Spectrum Vector Oscillator Modulation Frequency Strobe "
        "Warehouse Halogen Pixel Aurora Orbit Delta Plasma"
    ),
    "hiphop_word": _words(
        "Hustle | Paper Chase | Block | Ledger | Ambition | Crown | Receipt | Corner Store | "
        "Cypher | Penthouse | Loyalty | Backstreet | Main Line | Blessings | Cash Flow | "
        "Streetlight"
    ),
    "soul_word": _words(
        "Sugar | Groove | Sweet Thing | Lover | Honey | Good Thing | Devotion | Slow Burn | "
        "Satin | Candlelight | Boogie | Higher Ground Floor | Feeling | Rhythm | "
        "Tenderness | Loving"
    ),
    "country_word": _words(
        "Whiskey | Front Porch | Pickup | Gravel Road | Tailgate | Bluebonnet | Haystack | "
        "Saddle | County Line | Sweet Tea | Steel Guitar | Barn Light | Creek | Sunday Hat | "
        "Dirt Lane | Boots"
    ),
    "folk_word": _words(
        "Hearth Sparrow Millstone Wildflower Heather Lullaby Barley Thistle Hollow Shepherd "
        "Woodsmoke Riverbank Moss Harvest Orchard Bramble"
    ),
    "jazz_word": _words(
        "Blue Room | Smoke | Rendezvous | Stroll | Cocktail | Moonbeam | Minor Affair | "
        "Taxi | Nightcap | Reverie | Serenade | Bop | Sidecar | Silhouette | Uptown | "
        "Alley Cat"
    ),
    "blues_word": _words(
        "Backwater | Levee | Crossroad | Boxcar | High Water | Mojo | Freight Train | "
        "Lonesome Whistle | Landlord | Rooster | Jailhouse Key | Rattlesnake | Bad Luck | "
        "Worried Mind | Delta Moon | Empty Bed"
    ),
    "latin_word": _words(
        "Fuego Corazón Bailando Ritmo Fiesta Sabor Cintura Medianoche Playa Tambor Candela "
        "Mambo Paloma Bolero Palmera Azúcar"
    ),
    "caribbean_word": _words(
        "Riddim | Sunshine | Island | Roots | Mango Tree | Sound System | Natural Morning | "
        "Lion | Coconut | Harbour Town | Sweet Love | Rum | Trenchline | Sea Breeze | "
        "Version Street | Jubilee"
    ),
    "african_word": _words(
        "Baobab Kora Palava Sahara Juju Kente Agogo Savanna Owambe Danfo Harmattan Ubuntu "
        "Marimba Jollof Sabi Asiko"
    ),
    "classical_word": _words(
        "Elegy Arabesque Berceuse Pavane Landscape Meditation Aria Cloudscape Stillness "
        "Procession Reflection Cadence Canon Pastorale Vesper Requiem"
    ),
}

FAMILIES: dict[str, dict[str, tuple[str, ...]]] = {
    # For each family: how artists are called and, beside the common ones, how songs are.
    "rock": {
        "artists": _words(
            "The {adjective} {plural} | {adjective} {noun} | The {number} {plural} | "
            "{plural} of {city} | {first} {last} | {noun} & the {plural} | "
            "{onset}{middle}{coda} | {japanese_one}{japanese_two} | "
            "{cyrillic_one} {cyrillic_two}"
        ),
        "titles": _words(
            "{rock_word} | {adjective} {rock_word} | {rock_word} {plural} | "
            "{gerund} the {rock_word}"
        ),
    },
    "metal": {
        "artists": _words(
            "{onset}{middle}{coda} | {adjective} {metal_word} | "
            "{metal_word} of {onset}{middle}{coda} | {noun} Unto {metal_word} | {onset}{coda}"
        ),
        "titles": _words(
            "{metal_word} | {adjective} {metal_word} | {metal_word} of the {noun} | "
            "{gerund} the {metal_word} | Beneath the {adjective} {metal_word}"
        ),
    },
    "punk": {
        "artists": _words(
            "The {punk_word} {plural} | {number} {noun} {plural} | "
            "{first} and the {plural} | {adjective} {punk_word} | {verb} {city} | "
            "The {adjective} {last}s"
        ),
        "titles": _words(
            "{punk_word} | No More {punk_word} | {verb} the {punk_word} | "
            "I Hate Your {punk_word} | {adjective} {punk_word}"
        ),
    },
    "pop": {
        "artists": _words(
            "{first} {last} | {onset}{middle}{coda} | {first} & {first} | "
            "{pop_word} {plural} | {pop_word} {noun} | {korean_one} {korean_two} | "
            "{adjective} {pop_word} | {first} {noun}"
        ),
        "titles": _words(
            "{pop_word} | {pop_word} {noun} | {adjective} {pop_word} | "
            "{verb} My {pop_word} | {pop_word} Like You"
        ),
    },
    "electronic": {
        "artists": _words(
            "{onset}{middle}{coda} | DJ {last} | {electronic_word} {noun} | {noun} {unit} | "
            "{first} {last} | {onset}{coda} {figure} | {adjective} {electronic_word} | "
            "{last} & {last} | {japanese_one}{japanese_two}"
        ),
        "titles": _words(
            "{electronic_word} | {electronic_word} {figure} | "
            "{adjective} {electronic_word} | {onset}{middle}{coda} | "
            "{electronic_word} {roman}"
        ),
    },
    "hip hop": {
        "artists": _words(
            "Lil {noun} | {onset}{middle}{coda} | MC {last} | {first} {hiphop_word} | "
            "Young {last} | {adjective} {last} | {hiphop_word} {figure} | "
            "The {hiphop_word} {unit} | {first} the {noun}"
        ),
        "titles": _words(
            "{hiphop_word} | {hiphop_word} Talk | {number} {plural} | "
            "{adjective} {hiphop_word} | {hiphop_word} (Interlude) | "
            "{hiphop_word} in {scenery}"
        ),
    },
    "soul": {
        "artists": _words(
            "{first} {last} | The {soul_word} {unit} | {first} & The {plural} | "
            "{african_first} {last} | The {adjective} {plural} | {last} {unit}"
        ),
        "titles": _words(
            "{soul_word} | {verb} That {soul_word} | Got to Have Your {soul_word} | "
            "{soul_word}, {soul_word} | {adjective} {soul_word}"
        ),
    },
    "country": {
        "artists": _words(
            "{first} {last} | {first} {noun} {last} | {last} County | The {last} Brothers | "
            "{first} & the {adjective} {plural} | {last} & {last}"
        ),
        "titles": _words(
            "{country_word} | {country_word} Kind of {time} | {adjective} {country_word} | "
            "{country_word} & {noun} | Down at the {country_word}"
        ),
    },
    "folk": {
        "artists": _words(
            "{first} {last} | {noun} & {noun} | The {folk_word} {plural} | "
            "{first} {folk_word} | {adjective} {folk_word} | {greek_one} {greek_two} | "
            "{cyrillic_one} {cyrillic_two}"
        ),
        "titles": _words(
            "{folk_word} | {folk_word} Song | The {folk_word} and the {noun} | "
            "{adjective} {folk_word} | {first}'s {folk_word}"
        ),
    },
    "jazz": {
        "artists": _words(
            "{first} {last} | {first} {last} {unit} | The {last} {unit} | "
            "{last}, {last} & {last} | {first} {jazz_word} {last}"
        ),
        "titles": _words(
            "{jazz_word} | {jazz_word} in {city} | {first}'s {jazz_word} | "
            "{adjective} {jazz_word} | {jazz_word} for Two"
        ),
    },
    "blues": {
        "artists": _words(
            "Blind {first} {last} | {first} {last} | Big {noun} {last} | "
            "{first} “{noun}” {last} | The {last} Blues {unit}"
        ),
        "titles": _words(
            "{blues_word} Blues | {adjective} {blues_word} | {city} {blues_word} | "
            "{blues_word} before {time} | {first}, {verb} That {blues_word}"
        ),
    },
    "latin": {
        "artists": _words(
            "{latin_first} {latin_last} | {latin_group} {latin_last} | "
            "{latin_first} de {city} | {latin_group} {latin_first} {latin_last} | "
            "{latin_noun} {latin_of} | {latin_first} y {latin_first}"
        ),
        "titles": _words(
            "{latin_noun} {latin_of} | {latin_word} | {latin_word} y {latin_noun} | "
            "{latin_word}, {latin_word} | {latin_word} en {city}"
        ),
    },
    "caribbean": {
        "artists": _words(
            "{first} {last} | The {caribbean_word} {plural} | {adjective} {noun} {unit} | "
            "Prince {last} | {last} & The {plural} | Lady {first}"
        ),
        "titles": _words(
            "{caribbean_word} | {adjective} {caribbean_word} | {caribbean_word} Time | "
            "{verb} the {caribbean_word} | {caribbean_word} in {city}"
        ),
    },
    "african": {
        "artists": _words(
            "{african_first} {african_last} | {african_first} of {city} | "
            "DJ {african_last} | Orchestre {african_last} | "
            "{african_first} & The {african_word} {unit}"
        ),
        "titles": _words(
            "{african_word} | {african_word} {noun} | {african_first} | "
            "{adjective} {african_word} | {african_word} Don {verb}"
        ),
    },
    "classical": {
        "artists": _words(
            "{first} {last} | {city} Chamber {unit} | {last} {unit} | "
            "{first} {last} {unit} | {onset}{middle}{coda} {unit} | {first} {first} {last}"
        ),
        "titles": _words(
            "{form} No. {figure} in {key}: {tempo} | {form} in {key} | "
            "{classical_word} {roman} | {classical_word} for {first} | "
            "{adjective} {classical_word} | {form} No. {figure} in {key}"
        ),
    },
}

TITLES = _words(
    "{adjective} {noun} | {noun} | The {adjective} {noun} | {noun} in {scenery} | "
    "{noun} in {city} | {time} in {city} | {gerund} the {noun} | {verb} Me in {scenery} | "
    "Don't {verb} the {noun} | Where the {plural} Go | {verb} It Again | No More {plural} | "
    "{number} {plural} | {first} | {first}'s {noun} | Oh {first} | {noun} (Part {roman}) | "
    "If {time} Comes | Letters to {city} | All the {adjective} {plural} | {gerund} | "
    "{gerund} in {scenery} | {noun} & {noun} | {verb} Your {noun} | What the {noun} Said | "
    "{plural} | {adjective} {plural} | {time} | One {noun} for {first} | {gerund} {plural} | "
    "Nobody's {noun} | {adjective} Like the {noun} | The {noun} Song | {city}"
)
"""How songs of any family may be called."""

ALBUMS = _words(
    "{adjective} {plural} | The {noun} {unit} | {noun} & {noun} | {plural} of {city} | "
    "{gerund} {plural} | {time} | {number} {plural} | The {adjective} {noun} | {plural} | "
    "{adjective} {noun}, {adjective} {noun} | {city}"
)
"""How an album is called that has no title track."""

GENERIC_PLAYLISTS = _words(
    "my playlist | favorites | faves | good stuff | random | mix | everything | car | "
    "drive | songs i like | jams | current | new | shower | playlist | music | best of | "
    "all time | work | school | roadtrip | weekend | me | mood | vibes | on repeat | "
    "to listen | Discover | oldies but goodies | guilty pleasures | throwback | party mix | "
    "bops | bangers | ✨ | ❤️ | 🎧 | ... | untitled | New Playlist | Starred"
)
"""Titles that say nothing of what is in the playlist."""

GENRE_PLAYLISTS = _words(
    "{genre} | {genre} | {genre} | {genre} | {genre} mix | {genre} vibes | best of {genre} | "
    "{genre} essentials | {genre} favorites | my {genre} | {genre} playlist | {genre} jams | "
    "all {genre} | {genre} classics | {genre} & more | {genre} radio | just {genre} | "
    "{genre} for days"
)

ERA_PLAYLISTS = _words(
    "{decade} {genre} | {decade} {genre} | {decade} {genre} | {decade} | {decade} hits | "
    "{decade} throwback | {genre} {decade} | best of the {decade} | {decade} jams | {year} | "
    "{genre} {year}"
)

SEASONAL_PLAYLISTS = _words(
    "Summer {year} | {year} | Fall {year} | spring {year} | winter {year} | best of {year} | "
    "{year} favorites | Summer '{short} | {month} {year} | {month} | {month} {short}"
)

ARTIST_PLAYLISTS = _words(
    "{artist} | {artist} | {artist} radio | best of {artist} | {artist} & friends | "
    "this is {artist} | {artist} mix | {artist} favorites"
)

FAMILY_TERMS: dict[str, tuple[str, ...]] = {
    # What people call a whole family; families not named go by their name.
    "rock": _words("rock | rock | Rock | alt rock"),
    "punk": _words("punk | punk rock | pop punk"),
    "pop": _words("pop | Pop | pop hits"),
    "electronic": _words("edm electronic EDM house electro"),
    "hip hop": _words("rap | hip hop | hip-hop | Rap | rap/hip hop"),
    "soul": _words("soul r&b R&B r&b/soul"),
    "country": _words("country Country"),
    "folk": _words("folk | acoustic | indie folk"),
    "latin": _words("latin | Latino | música latina | spanish"),
    "caribbean": _words("reggae island Reggae"),
    "african": _words("afro africa afrobeats"),
    "classical": _words("classical piano Classical"),
}

MOODS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # What people call such a playlist, and the emoji they put behind it.
    "workout": (
        _words(
            "Gym | workout | gym | Workout | running | cardio | pump up | lifting | run | "
            "gym mix | beast mode | workout playlist"
        ),
        _words("💪 🏃 🔥 🏋️ ⚡"),
    ),
    "party": (
        _words(
            "Party | party | pregame | turn up | dance | party mix | dance party | "
            "Friday night | house party | birthday | wedding"
        ),
        _words("🎉 💃 🍻 🔥 🪩"),
    ),
    "happy": (
        _words(
            "happy | feel good | good vibes | sunny | Happy songs | feel good songs | "
            "sunshine | good mood | beach | summer"
        ),
        _words("☀️ 😊 🌈 🌻 🏖️"),
    ),
    "chill": (
        _words(
            "chill | chill vibes | Chill | chillin | relax | chill mix | vibes | "
            "late night | evening | sunday morning | coffee | hang out"
        ),
        _words("☕ 😌 🌙 🌊 ✌️"),
    ),
    "sad": (
        _words(
            "sad songs | sad | Sad | heartbreak | cry | feels | in my feelings | breakup | "
            "sad boi hours | missing you | rainy days"
        ),
        _words("😢 💔 🌧️ 🥀 😭"),
    ),
    "focus": (
        _words(
            "focus | study | Study | concentration | homework | reading | work | studying | "
            "coding | deep focus | instrumental"
        ),
        _words("📚 💻 🧠 ✏️ 🎧"),
    ),
    "sleep": (
        _words("sleep Sleep bedtime calm peaceful sleepy meditation yoga night lullabies baby"),
        _words("😴 🌙 💤 🕯️ 🧘"),
    ),
    "romance": (
        _words(
            "love songs | love | Date night | romance | us | date night | first dance | "
            "love songs | for you | dinner | wine"
        ),
        _words("❤️ 😍 🌹 🍷 💕"),
    ),
    "road trip": (
        _words(
            "Road trip | road trip | driving | car | Drive | sing along | roadtrip | "
            "car songs | windows down | on the road | cruisin"
        ),
        _words("🚗 🛣️ 🎶 🌄 🚙"),
    ),
}

# Family, then its styles: name, share of artists, and the means of energy, valence,
# danceability, acousticness, instrumentalness, speechiness, tempo, year and the years' spread.
STYLES: dict[str, tuple[tuple[str, float, tuple[float, ...]], ...]] = {
    "rock": (
        ("indie rock", 1.4, (0.68, 0.50, 0.52, 0.18, 0.12, 0.05, 124, 2010, 7)),
        ("alternative rock", 1.3, (0.75, 0.45, 0.50, 0.10, 0.08, 0.05, 122, 1999, 8)),
        ("classic rock", 1.3, (0.70, 0.60, 0.52, 0.22, 0.08, 0.05, 122, 1975, 6)),
        ("garage rock", 0.7, (0.82, 0.60, 0.48, 0.08, 0.10, 0.06, 136, 2004, 10)),
        ("post-punk", 0.6, (0.72, 0.50, 0.56, 0.08, 0.22, 0.05, 138, 1985, 9)),
        ("dream pop", 0.8, (0.52, 0.35, 0.45, 0.32, 0.40, 0.04, 112, 2011, 8)),
        ("shoegaze", 0.6, (0.72, 0.28, 0.34, 0.12, 0.58, 0.05, 120, 1995, 10)),
    ),
    "metal": (
        ("heavy metal", 0.8, (0.88, 0.42, 0.42, 0.02, 0.12, 0.07, 128, 1986, 8)),
        ("black metal", 0.4, (0.94, 0.18, 0.27, 0.01, 0.60, 0.09, 134, 2004, 9)),
        ("metalcore", 0.7, (0.93, 0.35, 0.43, 0.01, 0.05, 0.11, 142, 2009, 5)),
    ),
    "punk": (
        ("pop punk", 0.9, (0.88, 0.60, 0.52, 0.03, 0.01, 0.07, 160, 2004, 6)),
        ("hardcore punk", 0.4, (0.95, 0.48, 0.38, 0.02, 0.10, 0.12, 168, 1990, 9)),
        ("ska punk", 0.4, (0.85, 0.76, 0.58, 0.07, 0.03, 0.08, 150, 1998, 6)),
    ),
    "pop": (
        ("dance pop", 1.8, (0.76, 0.58, 0.70, 0.10, 0.01, 0.06, 120, 2013, 5)),
        ("synthpop", 1.0, (0.70, 0.55, 0.66, 0.12, 0.10, 0.04, 122, 1988, 9)),
        ("bedroom pop", 0.9, (0.40, 0.48, 0.60, 0.52, 0.12, 0.05, 106, 2019, 3)),
        ("teen pop", 0.9, (0.72, 0.68, 0.68, 0.14, 0.01, 0.05, 118, 2003, 6)),
        ("k-pop", 0.9, (0.81, 0.60, 0.70, 0.10, 0.01, 0.07, 122, 2017, 4)),
        ("indie pop", 1.0, (0.62, 0.62, 0.63, 0.25, 0.05, 0.04, 118, 2013, 5)),
    ),
    "electronic": (
        ("deep house", 1.1, (0.66, 0.48, 0.80, 0.06, 0.55, 0.05, 122, 2014, 5)),
        ("techno", 0.8, (0.80, 0.26, 0.74, 0.03, 0.80, 0.06, 131, 2012, 8)),
        ("trance", 0.6, (0.88, 0.35, 0.54, 0.02, 0.62, 0.05, 137, 2005, 6)),
        ("drum and bass", 0.6, (0.91, 0.40, 0.56, 0.03, 0.45, 0.08, 174, 2009, 8)),
        ("ambient", 0.7, (0.16, 0.14, 0.24, 0.86, 0.90, 0.04, 92, 2010, 10)),
        ("lo-fi beats", 0.9, (0.32, 0.45, 0.68, 0.58, 0.84, 0.08, 82, 2019, 3)),
    ),
    "hip hop": (
        ("boom bap", 1.0, (0.66, 0.60, 0.74, 0.15, 0.03, 0.28, 92, 1996, 5)),
        ("trap", 1.5, (0.62, 0.36, 0.76, 0.11, 0.01, 0.20, 142, 2016, 3)),
        ("drill", 0.7, (0.68, 0.45, 0.77, 0.14, 0.01, 0.30, 143, 2020, 2)),
        ("west coast rap", 0.8, (0.70, 0.66, 0.81, 0.08, 0.01, 0.22, 97, 1996, 5)),
    ),
    "soul": (
        ("neo soul", 0.9, (0.46, 0.52, 0.68, 0.40, 0.04, 0.10, 92, 2009, 8)),
        ("classic soul", 0.9, (0.56, 0.72, 0.60, 0.50, 0.02, 0.05, 114, 1967, 4)),
        ("funk", 0.7, (0.75, 0.84, 0.76, 0.18, 0.06, 0.07, 109, 1976, 6)),
        ("disco", 0.7, (0.79, 0.86, 0.75, 0.12, 0.06, 0.05, 118, 1978, 4)),
        ("contemporary r&b", 1.2, (0.54, 0.44, 0.68, 0.22, 0.01, 0.09, 106, 2011, 7)),
    ),
    "country": (
        ("country pop", 1.2, (0.70, 0.60, 0.58, 0.22, 0.01, 0.04, 124, 2010, 7)),
        ("americana", 0.8, (0.50, 0.48, 0.53, 0.46, 0.04, 0.04, 118, 2012, 7)),
        ("bluegrass", 0.5, (0.54, 0.70, 0.55, 0.80, 0.14, 0.04, 134, 1997, 13)),
        ("outlaw country", 0.6, (0.48, 0.64, 0.59, 0.56, 0.02, 0.05, 112, 1977, 6)),
    ),
    "folk": (
        ("indie folk", 1.1, (0.34, 0.36, 0.48, 0.72, 0.10, 0.04, 114, 2013, 5)),
        ("singer-songwriter", 0.9, (0.38, 0.40, 0.54, 0.66, 0.02, 0.04, 112, 2005, 11)),
    ),
    "jazz": (
        ("bebop", 0.6, (0.46, 0.62, 0.52, 0.80, 0.60, 0.05, 146, 1956, 5)),
        ("cool jazz", 0.6, (0.22, 0.40, 0.50, 0.91, 0.66, 0.04, 106, 1960, 6)),
        ("jazz fusion", 0.5, (0.60, 0.56, 0.54, 0.32, 0.74, 0.05, 114, 1978, 8)),
        ("swing", 0.5, (0.45, 0.74, 0.60, 0.88, 0.22, 0.06, 128, 1942, 6)),
        ("vocal jazz", 0.6, (0.22, 0.36, 0.46, 0.88, 0.02, 0.04, 100, 1962, 12)),
    ),
    "blues": (
        ("delta blues", 0.4, (0.28, 0.56, 0.55, 0.96, 0.08, 0.08, 106, 1937, 7)),
        ("electric blues", 0.6, (0.56, 0.66, 0.57, 0.46, 0.12, 0.05, 112, 1970, 11)),
    ),
    "latin": (
        ("reggaeton", 1.3, (0.78, 0.70, 0.79, 0.15, 0.01, 0.10, 95, 2016, 5)),
        ("salsa", 0.6, (0.78, 0.88, 0.70, 0.46, 0.02, 0.05, 96, 1984, 11)),
        ("bossa nova", 0.6, (0.28, 0.58, 0.62, 0.82, 0.20, 0.04, 118, 1966, 8)),
        ("cumbia", 0.6, (0.70, 0.87, 0.77, 0.36, 0.05, 0.06, 98, 1996, 13)),
        ("latin pop", 1.0, (0.68, 0.62, 0.66, 0.26, 0.01, 0.05, 114, 2008, 9)),
    ),
    "caribbean": (
        ("reggae", 0.9, (0.54, 0.76, 0.76, 0.20, 0.06, 0.09, 124, 1980, 9)),
        ("dancehall", 0.7, (0.75, 0.70, 0.79, 0.11, 0.01, 0.18, 103, 2008, 8)),
    ),
    "african": (
        ("afrobeats", 0.9, (0.72, 0.72, 0.77, 0.22, 0.02, 0.10, 107, 2019, 3)),
        ("highlife", 0.4, (0.66, 0.86, 0.68, 0.46, 0.10, 0.06, 116, 1976, 8)),
        ("amapiano", 0.5, (0.60, 0.54, 0.82, 0.08, 0.45, 0.08, 113, 2020, 2)),
    ),
    "classical": (
        ("baroque", 0.6, (0.20, 0.44, 0.33, 0.95, 0.86, 0.04, 106, 1998, 11)),
        ("romantic piano", 0.7, (0.10, 0.16, 0.33, 0.99, 0.91, 0.04, 90, 2003, 12)),
        ("minimalism", 0.6, (0.18, 0.10, 0.30, 0.92, 0.88, 0.04, 104, 2014, 6)),
    ),
}

EMPHASIS: dict[str, tuple[float, ...]] = {
    # Weights of standardised energy, valence, danceability, acousticness, instrumentalness, tempo.
    "workout": (1.2, 0.0, 0.5, -0.4, -0.3, 0.8),
    "party": (0.6, 0.7, 1.3, -0.3, -0.4, 0.0),
    "happy": (0.2, 1.5, 0.2, 0.2, -0.4, 0.2),
    "chill": (-0.6, 0.1, 0.8, 0.3, 0.1, -0.8),
    "sad": (-0.6, -1.2, -0.3, 0.3, -0.8, 0.0),
    "focus": (0.0, -0.2, 0.2, 0.0, 1.6, 0.0),
    "sleep": (-1.2, -0.5, -0.8, 0.9, 0.6, -0.3),
    "romance": (-0.6, 0.3, -0.2, 0.9, -0.8, -0.3),
    "road trip": (0.8, 0.4, -0.9, -0.4, -0.4, 0.2),
}
"""Which moods a track suits; the names are those of `MOODS`."""

VERSIONS = _words("remaster | live | live at | radio edit | acoustic | guest | extended | demo")
VERSION_MARKS = (
    " - Remastered {}",
    " - Live",
    " - Live at {}",
    " - Radio Edit",
    " - Acoustic",
    " (feat. {})",
    " - Extended Mix",
    " - Demo",
)
VERSION_SHARES: dict[str, tuple[float, ...]] = {
    # Of a family's versions, in the order of the marks; families not named are "".
    "": (3, 2, 1, 1, 1.5, 1.5, 0.2, 0.5),
    "rock": (5, 2, 1.5, 0.7, 1, 0.5, 0, 0.7),
    "metal": (4, 2, 2, 0.3, 0.3, 0.5, 0, 0.7),
    "pop": (1, 1, 0.5, 3, 1.5, 3, 0.5, 0.3),
    "electronic": (0.5, 0.3, 0.2, 4, 0.2, 2, 4, 0),
    "hip hop": (0.5, 0.3, 0.1, 2, 0.2, 6, 0.1, 0.3),
    "jazz": (6, 2, 3, 0, 0, 0.3, 0, 0),
    "classical": (3, 1, 2, 0, 0, 0, 0, 0),
}
ALBUM_MARKS = (
    " (Remastered)",
    " (Live)",
    " (Live at {})",
    " - Single",
    " (Acoustic)",
    " (Deluxe)",
    " (Remixes)",
    " (Demos)",
)
