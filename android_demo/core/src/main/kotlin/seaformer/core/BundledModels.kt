package seaformer.core

/** The names among those of all assets that describe models, in the order that they were bundled. */
fun descriptionsOf(assets: List<String>): List<String> =
    assets
        .mapNotNull { name -> DESCRIPTION.matchEntire(name) }
        .sortedBy { it.groupValues[1].toIntOrNull() ?: 1 }
        .map { it.value }

/** A name for each model that distinguishes it: its title, with its file's if need be. */
fun namesOf(models: List<ModelMetadata>): List<String> =
    models.map { model ->
        val isUnique = models.count { it.title == model.title } == 1
        if (isUnique) model.title else "${model.title} (${model.file.name})"
    }

/** model.json, model_2.json, model_3.json, ... */
private val DESCRIPTION = Regex("model(?:_(\\d+))?\\.json")
