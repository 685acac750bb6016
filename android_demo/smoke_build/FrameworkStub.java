import static org.objectweb.asm.Opcodes.*;

import jadx.api.JadxArgs;
import jadx.core.clsp.ClsSet;
import jadx.core.clsp.ClspClass;
import jadx.core.clsp.ClspMethod;
import jadx.core.dex.instructions.args.ArgType;
import jadx.core.dex.nodes.RootNode;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.MethodVisitor;

/**
 * Makes a compile-only android.jar from jadx's table of Android's classes and methods.
 *
 * <p>The table has no fields; they come from a file with tab-separated lines "class, name, S or I,
 * type" and dots in all class names. Constants have no values, so none is inlined.
 *
 * <p>Usage: FrameworkStub fields.txt stub.jar members.txt. The last file lists all members for the
 * link check: a "class" line with its parents, then its "method" and "field" lines.
 */
public final class FrameworkStub {
    private static final Set<String> OURS = Set.of("android", "dalvik", "org.json", "org.xmlpull");

    private record Field(String name, boolean isStatic, String type, String signature) {}

    private final Map<String, ClspClass> classes = new TreeMap<>();
    private final Map<String, List<String>> nested = new TreeMap<>();
    private final Map<String, List<Field>> fields = new HashMap<>();
    private final Map<String, String> byDots = new HashMap<>();
    private final Set<String> interfaces = new HashSet<>();

    public static void main(String[] arguments) throws Exception {
        FrameworkStub stub = new FrameworkStub();
        stub.readFields(Path.of(arguments[0]));
        stub.writeJar(Path.of(arguments[1]));
        stub.writeMembers(Path.of(arguments[2]));
    }

    private FrameworkStub() throws Exception {
        ClsSet table = new ClsSet(new RootNode(new JadxArgs()));
        table.loadFromClstFile();
        table.addToMap(classes);
        for (ClspClass one : classes.values()) {
            String name = one.getName();
            byDots.put(name.replace('$', '.'), name);
            int dollar = name.lastIndexOf('$');
            if (dollar > 0) nested.computeIfAbsent(name.substring(0, dollar), k -> new ArrayList<>()).add(name);
            if (isInterface(one)) interfaces.add(name);
            // All parents after the first are implemented, so they are interfaces.
            parents(one).stream().skip(1).forEach(interfaces::add);
        }
    }

    /** The table has no class flags: a class without constructor and parent counts as interface. */
    private static boolean isInterface(ClspClass one) {
        if (isAnnotation(one)) return true;
        if (one.getName().equals("java.lang.Object")) return false;
        List<String> parents = parents(one);
        return (parents.isEmpty() || parents.get(0).equals("java.lang.Object"))
                && one.getSortedMethodsList().stream().noneMatch(m -> m.getMethodInfo().getName().equals("<init>"));
    }

    private static boolean isAnnotation(ClspClass one) {
        return parents(one).contains("java.lang.annotation.Annotation");
    }

    private boolean isEnum(String name) {
        return classes.containsKey(name) && parents(classes.get(name)).indexOf("java.lang.Enum") == 0;
    }

    private static List<String> parents(ClspClass one) {
        return Stream.of(one.getParents()).map(ArgType::getObject).collect(Collectors.toList());
    }

    // ---- Fields ------------------------------------------------------------------------------

    private void readFields(Path path) throws IOException {
        for (String line : Files.readAllLines(path)) {
            String[] parts = line.split("\t");
            String owner = byDots.get(parts[0]);
            String signature = fieldSignature(parts[3]);
            String type = signature == null ? null : signature.replaceAll("<.*>", "");
            if (owner == null || type == null) continue; // newer than the table
            boolean isStatic = parts[2].equals("S") || interfaces.contains(owner);
            List<Field> found = fields.computeIfAbsent(owner, k -> new ArrayList<>());
            if (found.stream().noneMatch(field -> field.name().equals(parts[1]))) {
                found.add(new Field(parts[1], isStatic, type, signature));
            }
        }
    }

    /**
     * Parses "[[I", "[android.view.Surface" or "java.util.List&lt;java.lang.Integer&gt;". A class may have
     * several candidate names, separated by "|". Null if none of them exists.
     */
    private String fieldSignature(String type) {
        int depth = 0;
        while (type.charAt(depth) == '[') depth++;
        String element = type.substring(depth);
        if (element.length() == 1) return type;
        int bracket = element.indexOf('<');
        String names = bracket < 0 ? element : element.substring(0, bracket);
        String argument = bracket < 0 ? null : fieldSignature(element.substring(bracket + 1, element.length() - 1));
        String generic = argument == null ? "" : "<" + argument + ">";
        for (String name : names.split("\\|")) {
            String found = byDots.get(name);
            if (found != null) return "[".repeat(depth) + "L" + slashed(found) + generic + ";";
        }
        return null;
    }

    // ---- Classes -----------------------------------------------------------------------------

    private void writeJar(Path path) throws IOException {
        try (ZipOutputStream jar = new ZipOutputStream(Files.newOutputStream(path))) {
            for (ClspClass one : classes.values()) {
                if (OURS.stream().noneMatch(prefix -> one.getName().startsWith(prefix + "."))) continue;
                jar.putNextEntry(new ZipEntry(slashed(one.getName()) + ".class"));
                jar.write(bytecode(one));
                jar.closeEntry();
            }
        }
    }

    private byte[] bytecode(ClspClass one) {
        String name = one.getName();
        boolean isInterface = interfaces.contains(name);
        List<String> parents = parents(one);
        String superclass = isInterface || parents.isEmpty() ? "java.lang.Object" : parents.get(0);
        String[] implemented =
                parents.stream()
                        .skip(isInterface ? 0 : 1)
                        .filter(parent -> !parent.equals("java.lang.Object"))
                        .map(FrameworkStub::slashed)
                        .toArray(String[]::new);
        ClassWriter writer = new ClassWriter(ClassWriter.COMPUTE_MAXS);
        writer.visit(V1_8, access(one), slashed(name), signature(one), slashed(superclass), implemented);
        writeNesting(writer, name);
        for (Field field : fields.getOrDefault(name, List.of())) {
            boolean isConstant = isEnum(name) && field.type().equals("L" + slashed(name) + ";");
            int access = ACC_PUBLIC | (field.isStatic() ? ACC_STATIC | ACC_FINAL : 0) | (isConstant ? ACC_ENUM : 0);
            writer.visitField(access, field.name(), field.type(), field.signature(), null).visitEnd();
        }
        for (ClspMethod method : one.getSortedMethodsList()) writeMethod(writer, method, isInterface);
        writer.visitEnd();
        return writer.toByteArray();
    }

    private int access(ClspClass one) {
        int access = ACC_PUBLIC;
        if (isAnnotation(one)) access |= ACC_ANNOTATION;
        if (isEnum(one.getName())) access |= ACC_ENUM;
        if (interfaces.contains(one.getName())) return access | ACC_INTERFACE | ACC_ABSTRACT;
        for (ClspMethod method : one.getSortedMethodsList()) access |= method.getRawAccessFlags() & ACC_ABSTRACT;
        return access | ACC_SUPER;
    }

    /** Compilers need each nested class listed in its outer class and in its inner classes. */
    private void writeNesting(ClassWriter writer, String name) {
        Set<String> involved = new LinkedHashSet<>();
        for (String outer = name; outer.lastIndexOf('$') > 0; outer = outer.substring(0, outer.lastIndexOf('$'))) {
            involved.add(outer);
        }
        involved.addAll(nested.getOrDefault(name, List.of()));
        for (String inner : involved) {
            int dollar = inner.lastIndexOf('$');
            int access = ACC_PUBLIC | ACC_STATIC | (isEnum(inner) ? ACC_ENUM : 0);
            if (interfaces.contains(inner)) access |= ACC_INTERFACE | ACC_ABSTRACT;
            writer.visitInnerClass(
                    slashed(inner), slashed(inner.substring(0, dollar)), inner.substring(dollar + 1), access);
        }
    }

    private void writeMethod(ClassWriter writer, ClspMethod method, boolean inInterface) {
        String id = method.getMethodInfo().getShortId();
        int access = method.getRawAccessFlags() & 0xffff & ~(ACC_NATIVE | ACC_SYNCHRONIZED);
        if ((access & ACC_SYNTHETIC) != 0 || id.startsWith("<clinit>")) return;
        if (inInterface) access |= ACC_PUBLIC;
        String[] thrown =
                method.getThrows().stream()
                        .filter(type -> !type.isGenericType())
                        .map(type -> slashed(type.getObject()))
                        .toArray(String[]::new);
        int parenthesis = id.indexOf('(');
        MethodVisitor body =
                writer.visitMethod(
                        access, id.substring(0, parenthesis), id.substring(parenthesis), signature(method), thrown);
        if ((access & ACC_ABSTRACT) == 0) {
            body.visitCode();
            body.visitTypeInsn(NEW, "java/lang/UnsupportedOperationException");
            body.visitInsn(DUP);
            body.visitMethodInsn(
                    INVOKESPECIAL, "java/lang/UnsupportedOperationException", "<init>", "()V", false);
            body.visitInsn(ATHROW);
            body.visitMaxs(0, 0);
        }
        body.visitEnd();
    }

    // ---- Generic signatures --------------------------------------------------------------------

    private String signature(ClspClass one) {
        StringBuilder text = new StringBuilder(parameters(one.getTypeParameters()));
        if (one.getParents().length == 0 || interfaces.contains(one.getName())) text.append("Ljava/lang/Object;");
        for (ArgType parent : one.getParents()) {
            if (!parent.getObject().equals("java.lang.Object") || !interfaces.contains(one.getName())) {
                text.append(signature(parent));
            }
        }
        return text.toString();
    }

    private String signature(ClspMethod method) {
        boolean isGeneric =
                method.containsGenericArgs()
                        || !method.getTypeParameters().isEmpty()
                        || method.getReturnType().isGeneric()
                        || method.getReturnType().isGenericType();
        if (!isGeneric) return null;
        Collection<ArgType> types =
                method.containsGenericArgs() ? method.getArgTypes() : method.getMethodInfo().getArgumentsTypes();
        StringBuilder text = new StringBuilder(parameters(method.getTypeParameters())).append('(');
        for (ArgType type : types) text.append(signature(type));
        return text.append(')').append(signature(method.getReturnType())).toString();
    }

    private String signature(ArgType type) {
        if (type.isArray()) return "[" + signature(type.getArrayElement());
        if (type.isPrimitive()) return type.getPrimitiveType().getShortName();
        if (type.isGenericType()) return "T" + type.getObject() + ";";
        if (type.getOuterType() != null && type.getInnerType() != null) {
            String outer = signature(type.getOuterType());
            String inner = type.getInnerType().getObject();
            inner = inner.substring(Math.max(inner.lastIndexOf('$'), inner.lastIndexOf('.')) + 1);
            return outer.substring(0, outer.length() - 1) + "." + inner + arguments(type.getInnerType()) + ";";
        }
        return "L" + slashed(type.getObject()) + arguments(type) + ";";
    }

    private String arguments(ArgType type) {
        List<ArgType> types = type.getGenericTypes();
        if (types == null || types.isEmpty()) return "";
        StringBuilder text = new StringBuilder("<");
        for (ArgType one : types) {
            ArgType.WildcardBound bound = one.getWildcardBound();
            if (bound == null) text.append(signature(one));
            else if (bound == ArgType.WildcardBound.UNBOUND) text.append('*');
            else {
                text.append(bound == ArgType.WildcardBound.EXTENDS ? '+' : '-');
                text.append(signature(one.getWildcardType()));
            }
        }
        return text.append('>').toString();
    }

    private String parameters(List<ArgType> types) {
        if (types.isEmpty()) return "";
        StringBuilder text = new StringBuilder("<");
        for (ArgType type : types) {
            text.append(type.getObject());
            List<ArgType> bounds = type.getExtendTypes();
            if (bounds == null || bounds.isEmpty()) bounds = List.of(ArgType.OBJECT);
            for (int i = 0; i < bounds.size(); i++) {
                ArgType bound = bounds.get(i);
                boolean isInterface =
                        bound.isObject() && !bound.isGenericType() && interfaces.contains(bound.getObject());
                text.append(i == 0 && isInterface ? "::" : ":").append(signature(bound));
            }
        }
        return text.append('>').toString();
    }

    // ---- List of members -----------------------------------------------------------------------

    private void writeMembers(Path path) throws IOException {
        try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(path))) {
            for (ClspClass one : classes.values()) {
                out.print("class L" + slashed(one.getName()) + ";");
                for (String parent : parents(one)) out.print(" L" + slashed(parent) + ";");
                out.println();
                one.getSortedMethodsList().forEach(m -> out.println("method " + m.getMethodInfo().getShortId()));
                for (Field field : fields.getOrDefault(one.getName(), List.of())) {
                    out.println("field " + field.name() + ":" + field.type());
                }
            }
        }
    }

    private static String slashed(String name) {
        return name.replace('.', '/');
    }
}
