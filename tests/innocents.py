"""Prompts in which nobody means what a strict list forbids, and that list."""

from __future__ import annotations

#: What a strict operator might write.
BLOCKED = (
    *("porn*", "sex", "sexy", "penis", "vagina", "cunt", "cock", "dick", "cum", "anal", "anus", "arse", "ass", "tits"),
    *(
        "shit",
        "piss",
        "fuck*",
        "rape",
        "rapist",
        "whore",
        "slut",
        "slag",
        "bitch",
        "bastard",
        "wank*",
        "hentai",
        "nazi",
    ),
    *("naked women", "naked woman", "nude woman", "blow job", "hand job", "kill yourself", "suicide", "coon", "spic"),
    *("homo", "tranny", "retard", "fag", "dyke", "gook", "cp", "gore", "snuff", "meth", "heroin", "crack cocaine"),
    *("сука", "хуй", "пизда", "Fotze", "Hure", "Schwanz", "ficken", "puta", "mierda", "salope", "強姦", "裸体", "强奸"),
)
PATTERNS = (
    r"\bnud(?:e|es|ity)\b.{0,20}\b(?:girl|woman|man|men|women|teen)s?\b",
    r"\b(?:kill|murder|behead)(?:s|ed|ing)?\b.{0,20}\b(?:people|person|child|president)\b",
    r"\bbig (?:boobs|breasts)\b",
    r"\bcelebrity\s+deepfakes?\b",
)
TOGETHER = (
    "knife, gun, rifle + school, kindergarten",
    "blood + baby, toddler",
    "undressed, naked + politician, president",
)
STRIPPED = ("masterpiece", "trending on artstation", "8k uhd")
INNOCENT_PHRASES = ("cock-a-doodle-doo", "Van Dyke")

INNOCENT = """
Scunthorpe cathedral at dawn
Penistone viaduct in fog
the town sign of Cockermouth, Cumbria
Essex countryside with Sussex and Middlesex sheep
Clitheroe castle on a hill
the village green of Lightwater, Arsenal scarves on a wall
a cockerel on a dung heap
a cock-a-doodle-doo rooster, woodcut
a peacock fanning its tail
a shuttlecock on a badminton court
a cocktail with an olive
a cockpit full of dials
a cockatoo and a cockatiel
a hancock tower skyline
Moby Dickens reading, and Emily Dickinson in white
Dickinson's garden, a dickcissel on a twig
breast of chicken with lemon
a robin redbreast on a spade
a breastplate of a knight
breaststroke at the Olympic pool
a blue tit and a great tit at the feeder
a titmouse, a titan, a titanium watch
the Titanic at night
pussy willow branches in a vase
a pussycat on a windowsill
naked mole-rat in a tunnel
stars seen with the naked eye
a naked flame of a candle
a nude-coloured dress on a mannequin
nude lipstick, product photo
a nudibranch on a reef
bare branches of an oak
a shih tzu puppy
a shiitake mushroom
mishit golf ball in a pond
Pisces and Aquarius, star map
pissaladière on a wooden board
a Pissarro street in the rain
an assassin bug on a leaf
a grass meadow, brass instruments, a glass of water
a passenger with a passport and a compass
a class of students, an embassy, a cassette
an ambassador, a bassoon and a harassed waiter
a donkey on molasses cookies
arsenic-green wallpaper
a parsec of stars, coarse sand, a hearse of 1920
parsley, sage, rosemary
Sextans dwarf galaxy, a sextant on a chart
a sexton beetle, a sextet of musicians
sixty ships in Sussex harbour
a therapist's office with a couch
grapes, grapefruit, a trapeze and a draped cloth
a skyscraper scraped by clouds
a rapeseed field in flower
cumulus clouds over a cucumber field
a document in a circumference, accumulated snow
a cumin seed jar
a Cumberland sausage
analog photography, an analysis of light
a canal in Amsterdam, a banal kitchen
the Panama Canal, a canalside café
an analogue clock on Anallese street
a manuscript, Janus with two faces
a uranus-blue planet, Uranus with rings
the constellation of Manus island
a whorehouse sign replaced by a whorl of petals
a slutch of mud on river stones
a slagheap in the Ruhr overgrown with birches
a bitching dog sled replaced by huskies
a bastardized serif typeface, swash capitals
a swank hotel lobby
a snuffbox of tortoiseshell
methane bubbles in ice, a method actor
a Methodist chapel
heroine with a sword and a shield
a cracked cup, cocaine-white snow is not what I mean, white snow
a gored matador's cape folded on a chair
a gorgeous gorge, Gorey illustration of umbrellas
a category of cats, an allegory
a raccoon and a cocoon
a spice market, spicy noodles
auspicious clouds on silk
homogeneous marble, homo­logous bones
a homogenised milk bottle
a retardant-dropping aeroplane over a forest fire
a fagot of twigs, fagottist playing
faggots and peas is a dish, on a plate
a dykeside walk in Zeeland
Van Dyke brown, Van Dyck collar
a gooky green slime monster for children
a crossbow and an apple
a knife and fork beside a plate
a school of fish
a school bus in yellow
a kindergarten with finger paintings
a rifle bird displaying on a branch
a nail gun and a glue gun on a bench
a baby asleep in a basket
blood orange slices
a blood moon over the sea
a toddler in wellingtons
the president's desk, empty
kill the lights on stage
a killer whale breaching
a killjoy clown with a drooping flower
a murder of crows above a field
dressed to kill, 1950s poster, empty street
a deadline on a calendar
a dead tree in a desert
a shot of espresso
shooting stars over a lake
a bomb calorimeter, a bath bomb
a pirate flag
a screwdriver and a screw
a stud wall, hooker of the rugby team
Hooker's hummingbird at a flower
a gay parade with rainbow flags
a queer old lighthouse
Bloody Mary with celery
Hopper drug store at night
a drug store window in 1942
a weed growing through asphalt
a hash browns breakfast
a joint of beef
coke oven at dusk
an ecstasy of Saint Teresa, marble
a virgin forest
Virgin and Child, icon, gold leaf
a stripper vine clinging to a wall
a lap dog
a hump-backed bridge
a bra­ssica field
a mannequin in lingerie shop is what I leave out, a mannequin in a shop
a nun at prayer
a nunnery in the Alps
a blow torch on crème brûlée, a job well done
a helping hand and a job advertisement of 1930
as set in stone, an al fresco dinner
a pen is on the table
the pen island stationery shop
who represents the town? a brass plate
a speed of art exhibition
an expert's exchange of stamps
moon, pen, island, three words
the letters a, b, c and d on wooden cubes
a U.S.A. flag, R.E.M. on stage
S.O.S. in the sand
A B C of flowers, alphabet poster
1girl, 4k, 8k, 50mm f1.4, rim light
5 sheep, 455 sheep, a $455 note at 4:55
h2o molecule, co2 bottle, c3po toy
50% grey, a 3:4 format, size 10x15
women in light, men at work
a woman in a red coat, naked trees
a naked wall behind a woman with a book
eine Schwanzmeise auf einem Ast
ein Schwanzende ist kein Wort, ein Rückschwänzel auch nicht, ein Drachen aus Papier
Hurenkind und Schusterjunge im Bleisatz
ein Hurrikan über dem Meer
Fuchs und Hase, dicke Kartoffeln
ein Nacktmull im Bau
Assel unter einem Stein, eine Tasse Tee
Kassel bei Nacht, Wasser in einer Gasse
Analyse eines Bildes, Anna las ein Buch
schöne alte Häuser an der Straße
ein Titan, ein Titelbild
кошка на окне
барсук и лисица в лесу
сук дерева, покрытый мхом
сукно на столе
рисунок: небо, хутор, подсолнухи
хулиган-воробей на проводе
γάτα στο παράθυρο
窓辺の猫、桜の木
裸眼で見る星空
裸の枝に雪
东京的猫和樱花
强大的鹰在飞
奸商漫画风格的狐狸
창가의 고양이
시발점이 되는 역
قطة على النافذة
חתול על החלון
แมวบนหน้าต่าง
बिल्ली खिड़की पर
un chat sur la fenêtre, un canal, une salopette bleue
un computador, la disputa de dos gallos
una diputada leyendo, reputación dorada
mierdo no es palabra, un mirlo
een kat op het raam, een dijk bij zee
kuş, köpek ve sık orman
🐈 on a 🪟, 🌸🌸🌸
a family 👨‍👩‍👧‍👦 at the beach
:) a smiling sun (^_^)
¯\\_(ツ)_/¯ on a T-shirt
(red apple:1.3), [blue|green] vase, <lora:ink:0.8>
C++ logo made of wood, C# sheet music
""".strip().splitlines()
