package seaformer.core

/** The names of the assets that are model descriptions, in the order of bundling. */
fun descriptionsOf(assets: List<String>): List<String> =
    assets
        .mapNotNull { name -> DESCRIPTION.matchEntire(name) }
        .sortedBy { it.groupValues[1].toIntOrNull() ?: 1 }
        .map { it.value }

/** A unique name for each model: its title, with the file name if the title is not unique. */
fun namesOf(models: List<ModelMetadata>): List<String> =
    models.map { model ->
        val isUnique = models.count { it.title == model.title } == 1
        if (isUnique) model.title else "${model.title} (${model.file.name})"
    }

/** model.json, model_2.json, model_3.json, ... */
private val DESCRIPTION = Regex("model(?:_(\\d+))?\\.json")
